"""A new optional field of an item costs few files: one is added to a copy of the tree, and goes in and comes out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.checkout import ROOT

MOST_FILES = 8

CHECK = """
from dataclasses import replace
from api.v1.schemas import BatchItemResource, item_fields
from octavo.batch_options import BatchOptions
from octavo.batches import NewBatch, NewItem
from octavo.identifiers import FileId, new_batch_id
from octavo.ledger.archive import ArchivedBatch, ArchivePosition, Outcomes
from octavo.ledger.duckdb import memory_ledger
from octavo.archive.format import MANIFEST
from octavo.batches import FileStatus, StagedFile
from octavo.timestamps import now

ledger, anew = memory_ledger(), memory_ledger()
customer_id = ledger.accounts.ensure_customer("acme").customer_id
moment = now()
file = StagedFile(
    file_id=FileId("file_1"), customer_id=customer_id, status=FileStatus.READY, filename="a.pdf", content_type=None,
    size_bytes=5, sha256=None, object_key="in/1", created_at=moment, expires_at=moment.replace(year=moment.year + 1),
)
ledger.files.add([file])
(made,) = NewItem.of_files([file.file_id])
items = (replace(made, reference="order 7"), made)
batch, _ = ledger.batches.create(
    NewBatch(
        batch_id=new_batch_id(), customer_id=customer_id, items=items, engine=None, options=BatchOptions(),
        metadata=None,
    )
)
shown = ledger.batches.items(batch.batch_id)
assert [item.reference for item in shown] == ["order 7", None]
assert [BatchItemResource(**item_fields(item)).reference for item in shown] == ["order 7", None]
changes = ledger.archive.changes(ArchivePosition())
manifest = MANIFEST.load(MANIFEST.dump(changes.manifests[0]))
anew.archive.restore(
    [
        changes.accounts,
        changes.files,
        ArchivedBatch(manifest=manifest, outcomes=Outcomes(batch_id=batch.batch_id, until=moment)),
    ],
    generation=1,
)
assert [item.reference for item in anew.batches.items(batch.batch_id)] == ["order 7", None]
print("in and out")
"""


class Copy:
    """A copy of the rooms in which the field is added; knows which files were changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.touched: set[str] = set()
        for room in ("octavo", "api"):
            shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))

    def write(self, path: str, text: str) -> None:
        """Make a new file."""
        self.touched.add(path)
        (self.folder / path).write_text(text)

    def after(self, path: str, anchor: str, text: str) -> None:
        """Put text behind an anchor, which stands once in the file."""
        before = (self.folder / path).read_text()
        assert before.count(anchor) == 1, (path, anchor)
        self.write(path, before.replace(anchor, anchor + text))


def test_a_new_field_of_an_item_touches_few_files(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    migrations = sorted(entry.name for entry in (tmp_path / "octavo/ledger/duckdb/migrations").glob("*.sql"))
    number = int(migrations[-1][:4]) + 1
    migration = f"octavo/ledger/duckdb/migrations/{number:04d}_reference.sql"
    copy.write(migration, "ALTER TABLE items ADD COLUMN reference VARCHAR;\n")
    rows = "octavo/ledger/rows.py"
    copy.after(rows, "    source_url: str | None = None\n", "    reference: str | None = None\n")
    copy.after(rows, '    "source_url": attrgetter("source.url"),\n', '    "reference": attrgetter("reference"),\n')
    copy.after(rows, "        return NewItem(source=source, ", "reference=self.reference, ")
    copy.after(rows, "            source=made.source,\n", "            reference=made.reference,\n")
    batches = "octavo/batches.py"
    end = "    metadata: Mapping[str, object] | None = None\n"
    copy.after(batches, f"    source: Source\n{end}", "    reference: str | None = None\n")
    is_leased = '    """Whether a worker holds it; a lease changes nothing else, not even `updated_at`."""\n'
    copy.after(batches, is_leased, "    reference: str | None = None\n")
    copy.after("octavo/ledger/duckdb/tables.py", '        "source_url",\n', '        "reference",\n')
    schemas = "api/v1/schemas.py"
    copy.after(schemas, '    """One item of a batch."""\n', "\n    reference: str | None = None\n")
    copy.after(schemas, '        "batch_id": item.batch_id,\n', '        "reference": item.reference,\n')
    checked = subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert checked.stdout == "in and out\n", checked.stderr
    assert len(copy.touched) <= MOST_FILES, sorted(copy.touched)
