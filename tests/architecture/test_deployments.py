"""`prefect.yaml` names flows the way a worker can load them."""

import importlib
import re
from typing import Any

import yaml
from prefect import Flow

from tests.architecture.checkout import ROOT


def entrypoints() -> list[str]:
    """Return the entrypoint of every deployment in `prefect.yaml`."""
    described: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return [deployment["entrypoint"] for deployment in described["deployments"]]


def test_there_are_deployments() -> None:
    assert entrypoints()


def test_every_entrypoint_is_the_dotted_name_of_a_flow() -> None:
    for entrypoint in entrypoints():
        # A path (`flows/x.py:f`) would put `flows/` first on the import path.
        assert re.fullmatch(r"flows(\.\w+){2}", entrypoint), entrypoint
        module, _, name = entrypoint.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), Flow), entrypoint
