"""Storage has two addresses: one for the service itself, one that clients see and that is signed."""

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from octavo.objects.s3 import S3Objects, S3Settings
from tests.storage_server import SECOND_HOST, storage_process

KEY = "in/cust_a/2026-11-23/file_second_address"


def test_url_signed_for_the_public_host_works_there_and_only_there(embedded: S3Settings) -> None:
    port = urlsplit(embedded.endpoint_url).port
    objects = S3Objects(replace(embedded, public_url=f"http://{SECOND_HOST}:{port}/"))
    url = objects.presign_put(KEY, size_bytes=3, expires_seconds=60).url
    assert urlsplit(url).hostname == SECOND_HOST
    assert httpx.put(
        url.replace(SECOND_HOST, "127.0.0.1"), content=b"abc", trust_env=False, timeout=60
    ).status_code in {
        400,
        403,
    }
    assert objects.sizes([KEY], time_limit_seconds=10) == {}
    assert httpx.put(url, content=b"abc", trust_env=False, timeout=60).status_code == 200
    assert objects.read(KEY, max_bytes=3) == b"abc"
    read = objects.presign_get(KEY, expires_seconds=60, content_type="text/plain").url
    assert httpx.get(read, trust_env=False, timeout=60).content == b"abc"
    objects.delete([KEY])


def test_another_s3_or_a_proxy_in_the_environment_changes_nothing(
    embedded: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "else",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "eu-north-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setitem(os.environ, name, value)
    objects = S3Objects(embedded)
    objects.ensure_bucket()
    objects.write(KEY, b"abc", "text/plain")
    assert objects.read(KEY, max_bytes=3) == b"abc"
    objects.delete([KEY])


def test_page_of_the_allowed_origin_may_put_with_a_content_type(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    origin = "https://app.example"
    with storage_process(tmp_path / "objects", allowed_origin=origin) as (settings, _):
        url = S3Objects(settings).presign_put(KEY, size_bytes=3, expires_seconds=60).url
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type",
        }
        preflight = httpx.options(url, headers=asked, trust_env=False)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "PUT" in preflight.headers["access-control-allow-methods"]
        assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
        sent = {"Origin": origin, "Content-Type": "application/pdf"}
        assert httpx.put(url, content=b"abc", headers=sent, trust_env=False, timeout=60).status_code == 200
