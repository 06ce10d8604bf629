"""What one document may cost: every limit can be set."""

from dataclasses import asdict
from pathlib import Path

from octavo import wiring
from octavo.settings import LimitSettings, SandboxSettings, Settings


def test_every_limit_of_a_document_is_a_setting(tmp_path: Path) -> None:
    given = LimitSettings(
        max_file_bytes=101,
        max_pages=102,
        document_seconds=103.5,
        document_cpu_seconds=103.5,
        document_memory_bytes=105,
        page_seconds=106.5,
        max_page_pixels=107,
        max_page_content_bytes=108,
        max_page_paths=109,
        max_images=110,
        max_image_bytes=111,
        max_result_bytes=112,
        max_kept_bytes=118,
        max_unpacked_bytes=119,
    )
    walls = SandboxSettings(documents_per_child=113, open_files=114, processes=115, file_bytes=116, scratch_bytes=117)
    limits = wiring.limits(Settings(data=tmp_path, limits=given, sandbox=walls))
    assert asdict(limits) == {
        "wall_seconds": 103.5,
        "page_seconds": 106.5,
        "cpu_seconds": 104,
        "memory_bytes": 105,
        "file_bytes": 116,
        "scratch_bytes": 117,
        "open_files": 114,
        "processes": 115,
        "max_bytes": 101,
        "max_pages": 102,
        "max_page_pixels": 107,
        "max_content_bytes": 108,
        "max_paths": 109,
        "max_images": 110,
        "max_image_bytes": 111,
        "max_document_bytes": 112,
        "max_kept_bytes": 118,
        "max_unpacked_bytes": 119,
        "documents_per_child": 113,
    }
