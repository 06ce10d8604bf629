"""What a presigned URL lets a client do, and what not."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from octavo.identifiers import new_customer_id, new_file_id
from octavo.objects.contract import MAX_EXPIRY_SECONDS
from octavo.objects.keys import input_key
from octavo.objects.s3 import S3Objects, S3Settings
from tests.contract.objects.conftest import DAY, Storage

PDF = b"%PDF-1.7 sample"


def _put_url(storage: Storage, key: str, size: int = len(PDF), seconds: int = 60) -> str:
    return storage.objects.presign_put(key, size_bytes=size, expires_seconds=seconds).url


def _get_url(storage: Storage, key: str, seconds: int = 60, filename: str | None = None) -> str:
    return storage.objects.presign_get(
        key, expires_seconds=seconds, content_type="application/json", filename=filename
    ).url


def _tampered(url: str) -> str:
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    broken = [
        (name, ("0" if value[0] != "0" else "1") + value[1:]) if "ignature" in name else (name, value)
        for name, value in query
        if name != "X-Amz-SignedHeaders"
    ]
    broken += [(name, value) for name, value in query if name == "X-Amz-SignedHeaders"]
    return urlunsplit(parts._replace(query=urlencode(broken)))


def test_put_of_only_the_bytes_stores_them(storage: Storage) -> None:
    key = storage.new_key()
    assert storage.put(_put_url(storage, key), PDF).status == 200
    assert storage.objects.read(key, max_bytes=100) == PDF


@pytest.mark.parametrize("client", ["httpx", "urllib", "curl"])
def test_a_plain_put_of_any_client_without_a_header_of_its_own_works(
    embedded: S3Settings, tmp_path: Path, client: str
) -> None:
    objects, key = S3Objects(embedded), input_key(new_customer_id(), DAY, new_file_id())
    path = tmp_path / "sample.pdf"
    path.write_bytes(PDF)
    url = objects.presign_put(key, size_bytes=len(PDF), expires_seconds=60).url
    assert _plain_put(client, url, path) == 200
    assert objects.read(key, max_bytes=100) == PDF
    path.write_bytes(PDF + b"x")
    assert _plain_put(client, url, path) in {400, 403}
    assert objects.read(key, max_bytes=100) == PDF
    objects.delete([key])


def _plain_put(client: str, url: str, path: Path) -> int:
    """PUT a file as somebody would who reads the documentation, and return the status."""
    if client == "httpx":
        return httpx.put(url, content=path.read_bytes(), trust_env=False, timeout=60).status_code
    if client == "curl":
        curl = shutil.which("curl")
        if curl is None:
            pytest.skip("curl is not installed")
        words = [curl, "--silent", "--noproxy", "*", "--upload-file", str(path), "--output", "/dev/null"]
        told = subprocess.run([*words, "--write-out", "%{http_code}", url], capture_output=True, text=True, check=True)
        return int(told.stdout)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    # urllib adds a Content-Type of its own, which the signature does not bind.
    request = urllib.request.Request(url, data=path.read_bytes(), method="PUT")  # noqa: S310 - our own server
    try:
        with opener.open(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_put_with_a_content_type_stores_the_bytes_too(storage: Storage) -> None:
    key = storage.new_key()
    answer = storage.put(_put_url(storage, key), PDF, {"Content-Type": "application/pdf"})
    assert answer.status == 200
    assert storage.objects.read(key, max_bytes=100) == PDF


def test_put_of_no_bytes_stores_an_empty_object(storage: Storage) -> None:
    key = storage.new_key()
    assert storage.put(_put_url(storage, key, size=0), b"").status == 200
    assert storage.objects.sizes([key], time_limit_seconds=10) == {key: 0}
    assert storage.objects.read(key, max_bytes=0) == b""


@pytest.mark.parametrize("data", [PDF[:-1], PDF + b"x", b""], ids=["shorter", "longer", "empty"])
def test_put_of_another_length_is_refused_and_nothing_stored(storage: Storage, data: bytes) -> None:
    key = storage.new_key()
    assert storage.put(_put_url(storage, key), data).status in {400, 403}
    assert not storage.holds(key)


def test_refused_put_leaves_the_object_that_was_there(storage: Storage) -> None:
    key = storage.new_key()
    storage.objects.write(key, PDF, "application/pdf")
    assert storage.put(_put_url(storage, key), PDF + b"x").status in {400, 403}
    assert storage.objects.read(key, max_bytes=100) == PDF


def test_put_with_a_tampered_signature_is_refused_and_nothing_stored(storage: Storage) -> None:
    key = storage.new_key()
    url = _put_url(storage, key)
    assert _tampered(url) != url
    assert storage.put(_tampered(url), PDF).status in {400, 403}
    assert not storage.holds(key)


def test_put_to_another_key_is_refused_and_nothing_stored(storage: Storage) -> None:
    key, other = storage.new_keys(2)
    assert storage.put(_put_url(storage, key).replace(key, other), PDF).status in {400, 403}
    assert not storage.holds(key)
    assert not storage.holds(other)


def test_put_to_another_host_is_refused_and_nothing_stored(storage: Storage) -> None:
    key = storage.new_key()
    url = _put_url(storage, key)
    host = urlsplit(url).hostname
    if host not in {"127.0.0.1", "memory.invalid"}:
        pytest.skip("only a server of our own answers under a second name")
    assert storage.put(url.replace(host, "localhost", 1), PDF).status in {400, 403}
    assert not storage.holds(key)


def test_put_without_a_signature_is_refused_and_nothing_stored(storage: Storage) -> None:
    key = storage.new_key()
    assert storage.put(_put_url(storage, key).partition("?")[0], PDF).status in {400, 403}
    assert not storage.holds(key)


def test_put_url_does_not_read_and_get_url_does_not_write(storage: Storage) -> None:
    key = storage.new_key()
    assert storage.put(_get_url(storage, key), PDF).status in {400, 403}
    assert not storage.holds(key)
    storage.objects.write(key, PDF, "application/pdf")
    assert storage.get(_put_url(storage, key)).status in {400, 403}


def test_expired_urls_are_refused_and_nothing_stored(storage: Storage) -> None:
    key, present = storage.new_keys(2)
    storage.objects.write(present, PDF, "application/pdf")
    put_url = _put_url(storage, key, seconds=1)
    # Signed after the other, so when this one has expired, the other has too.
    get_url = _get_url(storage, present, seconds=1)
    assert _becomes_refused(storage, get_url, within_seconds=60)
    assert storage.put(put_url, PDF).status in {400, 403}
    assert not storage.holds(key)


def _becomes_refused(storage: Storage, url: str, *, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if storage.get(url).status in {400, 403}:
            return True
        time.sleep(0.05)
    return False


def test_lengthened_expiry_is_refused(storage: Storage) -> None:
    key = storage.new_key()
    storage.objects.write(key, PDF, "application/pdf")
    parts = urlsplit(_get_url(storage, key))
    query = [
        (name, value + "0" if name in {"X-Amz-Expires", "expires"} else value) for name, value in parse_qsl(parts.query)
    ]
    assert storage.get(urlunsplit(parts._replace(query=urlencode(query)))).status in {400, 403}


def test_url_tells_when_it_expires(storage: Storage) -> None:
    expected = datetime.now(UTC) + timedelta(seconds=90)
    url = storage.objects.presign_put(storage.new_key(), size_bytes=1, expires_seconds=90)
    assert abs((url.expires_at - expected).total_seconds()) < 30
    assert url.expires_at.tzinfo is UTC


def test_get_answers_with_the_content_type_and_name_asked_for(storage: Storage) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"{}", "application/octet-stream")
    answer = storage.get(_get_url(storage, key, filename='Rechnung März 100%;"a".json'))
    assert answer.status == 200
    assert answer.body == b"{}"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="Rechnung M_rz 100___a_.json"; '
        "filename*=UTF-8''Rechnung%20M%C3%A4rz%20100%25%3B%22a%22.json"
    )


def test_longest_name_still_fits_into_a_url(storage: Storage) -> None:
    key = storage.new_key()
    storage.objects.write(key, b"{}", "application/json")
    assert storage.get(_get_url(storage, key, filename="\N{ROLLING ON THE FLOOR LAUGHING}" * 500)).status == 200


def test_get_of_a_missing_object_is_not_found(storage: Storage) -> None:
    assert storage.get(_get_url(storage, storage.new_key())).status == 404


@pytest.mark.parametrize("seconds", [0, -1, MAX_EXPIRY_SECONDS + 1])
def test_expiry_outside_one_second_to_seven_days_cannot_be_signed(storage: Storage, seconds: int) -> None:
    with pytest.raises(ValueError, match="is valid for 1 to"):
        _put_url(storage, storage.new_key(), seconds=seconds)
    with pytest.raises(ValueError, match="is valid for 1 to"):
        _get_url(storage, storage.new_key(), seconds=seconds)


def test_negative_size_cannot_be_signed(storage: Storage) -> None:
    with pytest.raises(ValueError, match="-1 bytes"):
        _put_url(storage, storage.new_key(), size=-1)


def test_content_type_with_a_line_break_cannot_be_signed(storage: Storage) -> None:
    with pytest.raises(ValueError, match="not a content type"):
        storage.objects.presign_get(storage.new_key(), expires_seconds=60, content_type="text/html\r\nX: y")
