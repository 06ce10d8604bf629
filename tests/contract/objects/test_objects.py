"""Reading, writing, finding and deleting objects."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from octavo.objects import bucket
from octavo.objects.contract import ObjectInfo, ObjectMissing, ObjectTooLarge
from octavo.objects.s3 import S3Objects, S3Settings
from tests.contract.objects.conftest import Storage
from tests.storage_server import storage_server


def _write_all(storage: Storage, keys: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: storage.objects.write(key, b"x" * (1 + len(key) % 3), "text/plain"), keys))


@pytest.mark.parametrize("count", [3, 600], ids=["by_head", "by_list"])
def test_sizes_are_told_of_the_objects_that_exist(storage: Storage, count: int) -> None:
    keys = storage.new_keys(count)
    written = keys[::2]
    _write_all(storage, written)
    found = storage.objects.sizes(keys, time_limit_seconds=60)
    assert found == {key: 1 + len(key) % 3 for key in written}


def test_sizes_of_many_keys_in_full_and_in_sparse_folders(storage: Storage) -> None:
    full = storage.new_keys(520)
    sparse = [storage.new_key() for _ in range(5)]
    _write_all(storage, [full[0], full[-1], *sparse[:3]])
    found = storage.objects.sizes([*full, *sparse], time_limit_seconds=60)
    assert found.keys() == {full[0], full[-1], *sparse[:3]}


def test_sizes_of_no_keys_are_none(storage: Storage) -> None:
    assert storage.objects.sizes([], time_limit_seconds=10) == {}


def test_sizes_take_a_key_twice(storage: Storage) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"abc", "text/plain")
    assert storage.objects.sizes([key, key], time_limit_seconds=10) == {key: 3}


def test_written_bytes_are_read_back_and_replaced_whole(storage: Storage) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"first version", "text/plain")
    storage.objects.write(key, b"second", "text/plain")
    assert storage.objects.read(key, max_bytes=6) == b"second"


def test_empty_object_is_an_object(storage: Storage, tmp_path: Path) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"", "text/plain")
    assert storage.holds(key)
    downloaded = storage.objects.download(key, tmp_path / "empty", max_bytes=0)
    assert (downloaded.size, downloaded.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert (tmp_path / "empty").read_bytes() == b""


def test_download_writes_the_bytes_and_tells_size_and_hash(storage: Storage, tmp_path: Path) -> None:
    key = storage.new_key()
    data = bytes(range(256)) * 20_000
    storage.objects.write(key, data, "application/pdf")
    downloaded = storage.objects.download(key, tmp_path / "input.pdf", max_bytes=len(data))
    assert downloaded.size == len(data)
    assert downloaded.sha256 == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "input.pdf").read_bytes() == data


def test_too_large_object_is_refused_and_no_file_left(storage: Storage, tmp_path: Path) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"12345", "text/plain")
    with pytest.raises(ObjectTooLarge) as refused:
        storage.objects.read(key, max_bytes=4)
    assert refused.value.facts == {"key": key, "size_bytes": 5, "limit_bytes": 4}
    with pytest.raises(ObjectTooLarge):
        storage.objects.download(key, tmp_path / "input", max_bytes=4)
    assert list(tmp_path.iterdir()) == []


def test_missing_object_is_an_error_of_its_own(storage: Storage, tmp_path: Path) -> None:
    key = storage.new_key()
    with pytest.raises(ObjectMissing) as missing:
        storage.objects.read(key, max_bytes=10)
    assert (missing.value.code, missing.value.facts) == ("object_missing", {"key": key})
    with pytest.raises(ObjectMissing):
        storage.objects.download(key, tmp_path / "input", max_bytes=10)
    assert list(tmp_path.iterdir()) == []


def test_download_never_overwrites_a_file(storage: Storage, tmp_path: Path) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"new", "text/plain")
    (tmp_path / "input").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        storage.objects.download(key, tmp_path / "input", max_bytes=10)
    assert (tmp_path / "input").read_bytes() == b"old"


def test_deleted_objects_are_gone_and_the_others_stay(storage: Storage) -> None:
    kept, *gone = storage.new_keys(3)
    _write_all(storage, [kept, *gone])
    storage.objects.delete([*gone, storage.new_key()])
    assert not any(storage.holds(key) for key in gone)
    assert storage.holds(kept)


def test_deleting_nothing_is_no_error(storage: Storage) -> None:
    storage.objects.delete([])


def test_all_below_some_prefixes_is_deleted_and_counted(storage: Storage) -> None:
    deep, wide, kept = (storage.new_key() + "/" for _ in range(3))
    below = [f"{deep}a/b/c", *(f"{wide}{number}" for number in range(50)), f"{kept}x"]
    storage.used.extend(below)
    _write_all(storage, below)
    none = storage.new_key() + "/"
    gone = storage.objects.delete_below([deep, wide, none])
    assert {prefix: len(keys) for prefix, keys in gone.items()} == {deep: 1, wide: 50}
    assert [storage.holds(key) for key in below] == [False] * 51 + [True]
    assert storage.objects.delete_below([deep, wide]) == {}
    assert storage.objects.delete_below([]) == {}


def test_half_a_name_is_no_prefix_to_delete_below(storage: Storage) -> None:
    with pytest.raises(ValueError, match="ends in a slash"):
        storage.objects.delete_below(["in/cust"])


def test_an_upload_in_parts_that_was_never_finished_is_dropped_once_it_is_old(embedded: S3Settings) -> None:
    objects = S3Objects(embedded)
    objects.ensure_bucket()
    client = bucket._client(embedded)
    named = {"Bucket": embedded.bucket, "Key": "results/cust_a/res_b/half"}
    upload: Any = client.create_multipart_upload(**named)  # type: ignore[attr-defined]
    client.upload_part(**named, UploadId=upload["UploadId"], PartNumber=1, Body=b"x" * 1000)  # type: ignore[attr-defined]
    began = datetime.now(UTC)
    assert objects.drop_unfinished_uploads(began - timedelta(hours=1)) == 0
    assert objects.drop_unfinished_uploads(began + timedelta(hours=1)) == 1
    assert objects.drop_unfinished_uploads(began + timedelta(hours=1)) == 0
    client.close()


def test_where_no_upload_was_ever_begun_none_is_dropped() -> None:
    with storage_server() as fresh:
        assert S3Objects(fresh).drop_unfinished_uploads(datetime.now(UTC)) == 0


def test_list_sees_all_of_its_prefix_and_nothing_else(storage: Storage) -> None:
    keys = storage.new_keys(30)
    _write_all(storage, [*keys, storage.new_key()])
    prefix = keys[0].rpartition("/")[0] + "/"
    listed = list(storage.objects.list(prefix))
    assert {info.key: info.size for info in listed} == {key: 1 + len(key) % 3 for key in keys}
    assert all(_is_recent(info) for info in listed)


def _is_recent(info: ObjectInfo) -> bool:
    return abs((datetime.now(UTC) - info.last_modified).total_seconds()) < 300


def test_list_reaches_into_folders(storage: Storage) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"x", "text/plain")
    customer = "/".join(key.split("/")[:2]) + "/"
    assert [info.key for info in storage.objects.list(customer)] == [key]


def test_list_of_an_unknown_prefix_is_empty(storage: Storage) -> None:
    assert list(storage.objects.list("in/nobody/")) == []


def test_list_of_half_a_name_is_refused(storage: Storage) -> None:
    with pytest.raises(ValueError, match="ends in a slash"):
        storage.objects.list("in/cust")


def test_check_passes_while_storage_is_up(storage: Storage) -> None:
    storage.objects.check()


def test_one_store_serves_many_threads(storage: Storage) -> None:
    keys = storage.new_keys(40)

    def write_and_find(key: str) -> int:
        storage.objects.write(key, key.encode(), "text/plain")
        return storage.objects.sizes([key], time_limit_seconds=10)[key]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write_and_find, keys)) == [len(key) for key in keys]


def test_deleting_beside_writing_in_one_folder_fails_nobody(storage: Storage) -> None:
    keys = storage.new_keys(60)

    def write_and_delete(key: str) -> None:
        storage.objects.write(key, b"x", "text/plain")
        assert storage.holds(key)
        storage.objects.delete([key])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write_and_delete, keys))
