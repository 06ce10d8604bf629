"""Customers' accounts through a whole stack: the quota while eight items run at once, keys, usage, the audit."""

import re
import secrets
from pathlib import Path

import httpx

from tests.acceptance.stack import ENDED, Stack, run_octavo, wait_for

QUOTA = 10
ITEMS = 24


def octavo(stack: Stack, *arguments: str) -> str:
    done = run_octavo(*arguments, "--data", str(stack.data))
    assert done.returncode == 0, done.stderr
    return done.stdout


def usage(stack: Stack, key: str) -> dict[str, object]:
    answer = httpx.get(f"{stack.url}/v1/usage", headers={"X-API-KEY": key}, trust_env=False, timeout=60)
    found: dict[str, dict[str, object]] = answer.json()
    return found["quota"]


def test_eight_items_at_once_use_a_quota_up_and_never_go_over_it(stack: Stack, tmp_path: Path) -> None:
    name = f"prepaid-{secrets.token_hex(4)}"
    octavo(stack, "customers", "create", name, "--quota", str(QUOTA))
    key = octavo(stack, "keys", "create", "--customer", name).strip()
    with stack.customer(name) as client:
        batch = stack.submit_sleeping(client, tmp_path, items=ITEMS, seconds=0.3)
        seen: list[dict[str, object]] = []

        def has_ended() -> bool:
            seen.append(usage(stack, key))
            return batch.look()["status"] in ENDED

        wait_for(has_ended, limit=60, what="the end of the batch")
        ended = batch.look()
        assert ended["status"] == "partially_failed"
        assert ended["counts"]["succeeded"] == QUOTA
        codes = [item["error"]["code"] for item in ended["items"] if item["error"]]
        assert codes == ["payment_required"] * (ITEMS - QUOTA)
        assert max(batch.running) > 1
        assert max(int(str(one["used"])) for one in seen) <= QUOTA
        assert usage(stack, key) == {"limit": QUOTA, "used": QUOTA, "remaining": 0}
        answer = httpx.post(
            f"{stack.url}/v1/batches",
            json={"source": {"file_ids": ["file_x"]}},
            headers={"X-API-KEY": key},
            trust_env=False,
            timeout=60,
        )
        assert (answer.status_code, answer.json()["error"]) == (402, "quota_exceeded")
    shown = octavo(stack, "usage", "show", "--customer", name)
    assert re.search(rf"total +{QUOTA} +{QUOTA}", shown)
    assert f"of a quota of {QUOTA}; 0 left" in shown


def test_the_bill_of_this_stack_is_right(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        stack.submit_sleeping(client, tmp_path, items=3, seconds=0).wait_until_ended()
    told = octavo(stack, "usage", "audit")
    found = re.search(r"(\d+) items billed.* (\d+) results read; 0 differences", told)
    assert found is not None, told
    assert int(found[1]) >= 3
    assert int(found[2]) >= 3


def test_a_key_is_listed_and_revoked_and_lets_nobody_in(stack: Stack) -> None:
    name = f"keys-{secrets.token_hex(4)}"
    made = octavo(stack, "keys", "create", "--customer", name, "--label", "laptop", "--uploads-only")
    key = made.strip()
    assert made == f"{key}\n"
    listed = octavo(stack, "keys", "list", "--customer", name)
    (line,) = [line for line in listed.splitlines() if line.endswith("laptop")]
    assert key not in listed
    key_id = line.split()[0]

    def status() -> int:
        return httpx.get(f"{stack.url}/v1/batches", headers={"X-API-KEY": key}, trust_env=False, timeout=60).status_code

    assert status() == 200
    octavo(stack, "keys", "revoke", key_id)
    assert status() == 401
    assert run_octavo("keys", "revoke", "key_x", "--data", str(stack.data)).returncode == 1
