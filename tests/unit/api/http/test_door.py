"""Under which names a listener may be asked."""

import pytest

from api.http.door import HostNames

LOOPBACK = ("localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_on_loopback_a_service_has_the_names_of_loopback_its_own_and_no_other(address: str) -> None:
    names = HostNames.of_listener(address, public_url="https://Octavo.example:8443/", allowed=["inside"])
    shown = f"[{address}]" if ":" in address else address
    for host in (*LOOPBACK, shown, f"{shown}:1", "octavo.example", "OCTAVO.example:443", "inside", "Inside:80"):
        assert names.include(host), host
    for host in ("", "evil.example", "octavo.example.evil.example", "xoctavo.example", "10.0.0.1:8000", "[::2]"):
        assert not names.include(host), host


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "api.internal"])  # noqa: S104 - compared, not bound
def test_a_service_that_is_opened_to_others_has_any_name_until_it_is_given_a_list(address: str) -> None:
    assert HostNames.of_listener(address, public_url="https://octavo.example").include("whatever.example")
    listed = HostNames.of_listener(address, public_url="https://octavo.example", allowed=["api.internal"])
    assert listed.include("api.internal:8000")
    assert listed.include("octavo.example")
    assert not listed.include("whatever.example")


def test_a_star_means_any_name() -> None:
    assert HostNames.of_listener("127.0.0.1", allowed=["*"]).include("whatever.example")
