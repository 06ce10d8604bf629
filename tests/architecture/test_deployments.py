"""`prefect.yaml` names flows the way a worker can load them."""

import importlib
import re
import tomllib
from typing import Any

import yaml
from prefect import Flow

from deployments.declared import read_declared
from octavo import __version__
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


def test_every_deployment_says_what_it_does_and_which_version_it_is_of() -> None:
    for declared in read_declared():
        assert declared.version == __version__, declared.name
        assert declared.description.endswith("."), declared.name
        assert declared.load_flow().description, declared.name


def test_every_parameter_of_a_flow_is_described_where_the_prefect_ui_shows_it() -> None:
    for declared in read_declared():
        schema = declared.owned()["parameter_openapi_schema"]
        for name, shown in schema["properties"].items():
            assert shown.get("description"), f"{declared.entrypoint}: {name}"


def test_schedules_have_slugs_of_their_own() -> None:
    for declared in read_declared():
        slugs = [schedule.slug for schedule in declared.schedules]
        assert len(slugs) == len(set(slugs)), declared.name


def test_prefect_yaml_names_the_prefect_that_is_pinned() -> None:
    described: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"prefect=={described['prefect-version']}" in project["dependencies"]
