"""Which URLs may be requested at all."""

import ipaddress

import pytest

from octavo.errors import UrlNotAllowed
from octavo.outbound import Allowed, check_url
from octavo.outbound.addresses import is_public

NOBODY = Allowed()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3",  # noqa: S104 - a name for this machine
        "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1",
        "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1",
        "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_not_everybody_can_reach_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "", "file:///etc/passwd", "ftp://example.com/a", "gopher://example.com/", "data:text/plain,x",
        "//example.com/a",
        "example.com/a.pdf", "http://", "http:///a", "https://user@example.com/", "https://user:secret@example.com/",
        "https://example.com@127.0.0.1/", "https://@example.com/", "http://example.com:22/", "https://example.com:8443/",
        "http://example.com:0/", "http://example.com:99999/", "http://example.com:x/", "http://exa mple.com/",
        "http://example.com\\@127.0.0.1/", "http://example.com/a\nb", "http://example.com\t/", "http://-a.example/",
        "http://a..example/", "http://.example/", "http://example.com../", "http://exa%6dple.com/",
        "http://" + "a" * 64 + ".example/", "http://" + "a." * 130 + "example/", "https://example.com/" + "a" * 4096,
        "https://example.com/\ud800",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        check_url(url, NOBODY)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1",
        "0177.0.0.1", "127.0.0.01", "127.0.0.0x1", "0", "0x", "1.2.3.4.5", "example.0x7f", "169.254.169.254",
        "0xa9fea9fe", "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "[fe80::1]", "[fe80::1%25eth0]", "[2606:4700::1%251]", "[127.0.0.1]", "[v1.a]", "[::1",
        # Full-width digits and dots, circled digits: one mapping away from 127.0.0.1.
        "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1",
        "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
    ],
)  # fmt: skip
def test_every_spelling_of_an_inside_address_is_refused(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(UrlNotAllowed):
            check_url(f"{scheme}://{host}/a.pdf", NOBODY)


def test_plain_addresses_are_taken_and_written_in_one_way() -> None:
    assert check_url("HTTPS://Example.COM./A%20b.pdf?x=1#part", NOBODY).url == "https://example.com/A%20b.pdf?x=1"
    assert check_url("https://example.com", NOBODY).url == "https://example.com/"
    assert check_url("http://example.com:443/a", NOBODY).url == "http://example.com:443/a"
    assert check_url("http://example.com:80/", NOBODY).url == "http://example.com/"
    assert check_url("https://b\u00fccher.example/\u00e4.pdf", NOBODY).url == "https://xn--bcher-kva.example/%C3%A4.pdf"
    assert check_url("https://[2606:4700::1]/", NOBODY).url == "https://[2606:4700::1]/"
    assert check_url("https://8.8.8.8/", NOBODY).address == ipaddress.ip_address("8.8.8.8")


def test_http_is_refused_where_only_https_is_taken_unless_the_host_is_listed() -> None:
    with pytest.raises(UrlNotAllowed):
        check_url("http://example.com/hook", NOBODY, https_only=True)
    listed = Allowed.read(["example.com:80"])
    assert check_url("http://example.com/hook", listed, https_only=True).is_listed


def test_a_listed_place_is_one_host_and_one_port() -> None:
    listed = Allowed.read(["127.0.0.1:9000", "[::1]:9000", "Storage.Internal.:9001"])
    for url in (
        "http://127.0.0.1:9000/",
        "http://[::1]:9000/",
        "http://[0:0::1]:9000/",
        "http://storage.internal:9001/",
    ):
        assert check_url(url, listed).is_listed
    for url in ("http://127.0.0.1:9001/", "http://127.0.0.1/", "http://127.0.0.2:9000/", "http://2130706433:9000/"):
        with pytest.raises(UrlNotAllowed):
            check_url(url, listed)


@pytest.mark.parametrize(
    "entry", ["", "localhost", ":80", "a:0", "a:65536", "a:http", "::1:80", "http://a:80", "[a]:80"]
)
def test_an_entry_that_is_not_a_host_and_a_port_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Allowed.read([entry])
