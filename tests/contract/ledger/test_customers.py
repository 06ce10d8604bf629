"""Customers and keys."""

import pytest

from octavo.errors import CustomerNotFound
from octavo.identifiers import CustomerId
from octavo.ledger.contract import Principal
from tests.contract.ledger.world import World, begin, finish, success


def test_a_customer_is_made_once_per_name(world: World) -> None:
    again = world.ledger.accounts.ensure_customer(world.customer.name)
    assert again == world.customer
    assert (again.enabled, again.item_cap, again.created_at) == (True, 8, world.clock())


def test_customers_come_oldest_first(world: World) -> None:
    world.clock.go(seconds=1)
    second = world.ledger.accounts.ensure_customer("second")
    world.clock.go(seconds=-2)
    first = world.ledger.accounts.ensure_customer("first")
    assert world.ledger.accounts.customers() == [first, world.customer, second]


def test_updating_a_customer_keeps_what_is_not_given(world: World) -> None:
    customer_id = world.customer.customer_id
    assert world.ledger.accounts.update_customer(customer_id, item_cap=3).enabled
    after = world.ledger.accounts.update_customer(customer_id, enabled=False)
    assert (after.enabled, after.item_cap) == (False, 3)
    assert world.ledger.accounts.customer(customer_id) == after


def test_a_cap_below_one_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        world.ledger.accounts.update_customer(world.customer.customer_id, item_cap=0, enabled=False)
    assert world.ledger.accounts.customer(world.customer.customer_id) == world.customer


def test_an_unknown_customer_is_not_found(world: World) -> None:
    nobody = CustomerId("cust_nobody")
    with pytest.raises(CustomerNotFound):
        world.ledger.accounts.customer(nobody)
    with pytest.raises(CustomerNotFound):
        world.ledger.accounts.update_customer(nobody, enabled=True)
    with pytest.raises(CustomerNotFound):
        world.ledger.accounts.add_key(nobody, prefix="ok_ab", digest="d")
    with pytest.raises(CustomerNotFound):
        world.ledger.accounts.keys(nobody)


def test_a_key_is_known_by_its_digest(world: World) -> None:
    key = world.ledger.accounts.add_key(world.customer.customer_id, prefix="ok_ab", digest="digest", label="laptop")
    assert (key.prefix, key.label, key.revoked_at) == ("ok_ab", "laptop", None)
    assert world.ledger.accounts.principal("digest") == Principal(world.customer, key)
    assert world.ledger.accounts.principal("ok_ab") is None


def test_a_key_knows_whether_it_is_for_uploads_only(world: World) -> None:
    customer_id = world.customer.customer_id
    plain = world.ledger.accounts.add_key(customer_id, prefix="a", digest="a")
    marked = world.ledger.accounts.add_key(customer_id, prefix="b", digest="b", uploads_only=True)
    assert (plain.uploads_only, marked.uploads_only) == (False, True)
    assert world.ledger.accounts.principal("b") == Principal(world.customer, marked)
    assert {key.key_id: key.uploads_only for key in world.ledger.accounts.keys(customer_id)} == {
        plain.key_id: False,
        marked.key_id: True,
    }


def test_keys_come_oldest_first(world: World) -> None:
    customer_id = world.customer.customer_id
    world.clock.go(seconds=1)
    late = world.ledger.accounts.add_key(customer_id, prefix="b", digest="b")
    world.clock.go(seconds=-1)
    early = world.ledger.accounts.add_key(customer_id, prefix="a", digest="a")
    assert world.ledger.accounts.keys(customer_id) == [early, late]


def test_two_keys_never_share_a_digest(world: World) -> None:
    world.ledger.accounts.add_key(world.customer.customer_id, prefix="a", digest="same")
    with pytest.raises(ValueError, match="already"):
        world.ledger.accounts.add_key(world.customer.customer_id, prefix="a", digest="same")


def test_a_revoked_key_opens_nothing_and_stays_listed(world: World) -> None:
    key = world.ledger.accounts.add_key(world.customer.customer_id, prefix="a", digest="a")
    revoked = world.ledger.accounts.revoke_key(key.key_id)
    assert revoked is not None
    assert revoked.revoked_at == world.clock()
    assert world.ledger.accounts.principal("a") is None
    assert world.ledger.accounts.keys(world.customer.customer_id) == [revoked]


def test_revoking_again_keeps_the_first_moment(world: World) -> None:
    key = world.ledger.accounts.add_key(world.customer.customer_id, prefix="a", digest="a")
    revoked = world.ledger.accounts.revoke_key(key.key_id)
    world.clock.go(hours=1)
    assert world.ledger.accounts.revoke_key(key.key_id) == revoked
    assert world.ledger.accounts.revoke_key("key_nobody") is None


def test_a_disabled_customer_is_still_a_principal(world: World) -> None:
    world.ledger.accounts.add_key(world.customer.customer_id, prefix="a", digest="a")
    world.ledger.accounts.update_customer(world.customer.customer_id, enabled=False)
    principal = world.ledger.accounts.principal("a")
    assert principal is not None
    assert not principal.customer.enabled


def test_pages_are_billed_to_the_customer_who_submitted(world: World) -> None:
    other = world.ledger.accounts.ensure_customer("other")
    (item,) = world.take(world.batch(customer=other))
    world.say(begin(item), finish(item, success(pages=5)))
    assert world.pages() == 0
    assert world.ledger.billing.pages_used(other.customer_id) == 5
