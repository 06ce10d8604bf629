"""Our signer gives the very bytes that botocore's gives, and the server takes what it signed."""

import itertools
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from octavo.objects.contract import PresignedUrl
from octavo.objects.presigning import Presigner
from octavo.objects.response_headers import response_parameters

MOMENT = datetime(2026, 11, 23, 23, 59, 59, 999_999, tzinfo=UTC)
ADDRESSES = [
    "http://127.0.0.1:9000",
    "http://localhost:80",
    "https://s3.eu-central-1.amazonaws.com",
    "https://Storage.Example:443/",
    "https://storage.example:8443",
    "https://files.example/s3/",
    "http://[::1]:9000",
]
SECRETS = ["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-secret_of-the_embedded-server"]
TOKENS = [None, "IQoJb3JpZ2luX2VjEP//////////wEaCXVz+token/with=signs"]
KEYS = [
    "in/cust_01/2026-11-23/file_01",
    "results/cust_01/res_02/images/12",
    "a name with spaces/and (brackets) ~tilde_-.txt",
    "Rechnung M\u00e4rz 100%+1&b=c?d#e;f:g@h,i!j'k*l\"m\\n",
    "\U0001f923/\u6587\u4ef6.pdf",
]
QUERIES = [
    None,
    response_parameters("application/json", None),
    response_parameters("text/plain; charset=utf-8", 'Rechnung M\u00e4rz 100%;"a" b+c~d.json'),
]


def by_botocore(
    signer: Presigner, method: str, key: str, seconds: int, headers: dict[str, str], query: dict[str, str] | None
) -> str:
    """Sign as it was done before there was a signer of our own."""
    from urllib.parse import quote, urlencode

    address = f"{signer.public_url.rstrip('/')}/{quote(signer.bucket)}/{quote(key)}"
    if query:
        address += "?" + urlencode(query, quote_via=quote, safe="")
    request = AWSRequest(method=method, url=address, headers=headers)
    credentials = Credentials(signer.access_key, signer.secret_key, signer.session_token)
    S3SigV4QueryAuth(credentials, "s3", signer.region, expires=seconds).add_auth(request)
    return str(request.url)


@pytest.fixture(autouse=True)
def botocores_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: MOMENT.replace(tzinfo=None))


def both(
    signer: Presigner, method: str, key: str, seconds: int, headers: dict[str, str], query: dict[str, str] | None
) -> tuple[PresignedUrl, str]:
    ours = signer.url(method, key, expires_seconds=seconds, headers=headers, query=query, moment=MOMENT)
    return ours, by_botocore(signer, method, key, seconds, headers, query)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("token", TOKENS, ids=["no token", "token"])
def test_url_is_byte_for_byte_botocores(address: str, token: str | None) -> None:
    for secret, region, key, query in itertools.product(SECRETS, ["us-east-1", "eu-central-1", "auto"], KEYS, QUERIES):
        signer = Presigner(address, "octavo", region, "AKIAIOSFODNN7EXAMPLE", secret, token)
        ours, theirs = both(signer, "GET", key, 300, {}, query)
        assert ours.url == theirs
        for size in (0, 1, 150 * 1024 * 1024):
            ours, theirs = both(signer, "PUT", key, 3600, {"Content-Length": str(size)}, None)
            assert ours.url == theirs


@settings(max_examples=200, deadline=None)
@given(
    key=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n"), min_size=1, max_size=80),
    size=st.integers(0, 2**40),
    seconds=st.integers(1, 7 * 24 * 3600),
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
)
def test_any_key_size_expiry_and_name_is_signed_alike(key: str, size: int, seconds: int, name: str) -> None:
    signer = Presigner("http://127.0.0.1:9000", "a.bucket-1", "us-east-1", "ACCESSKEYACCESSKEY", SECRETS[1])
    ours, theirs = both(signer, "PUT", key, seconds, {"Content-Length": str(size)}, None)
    assert ours.url == theirs
    ours, theirs = both(signer, "GET", key, seconds, {}, response_parameters("text/html", name))
    assert ours.url == theirs


def test_url_expires_so_long_after_the_second_it_was_signed_in() -> None:
    signer = Presigner("http://127.0.0.1:9000", "octavo", "us-east-1", "ACCESSKEYACCESSKEY", SECRETS[0])
    ours, _ = both(signer, "GET", "in/a", 60, {}, None)
    assert ours.expires_at == datetime(2026, 11, 24, 0, 0, 59, tzinfo=UTC)


def test_secrets_are_not_shown() -> None:
    signer = Presigner("http://127.0.0.1:9000", "octavo", "us-east-1", "ACCESSKEYACCESSKEY", SECRETS[0], TOKENS[1])
    assert SECRETS[0] not in repr(signer)
    assert str(TOKENS[1]) not in repr(signer)
