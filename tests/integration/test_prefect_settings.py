"""What `octavo up` sets for Prefect is known to the Prefect that is installed, and read as it was meant."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from octavo.supervisor.stack import PREFECT_ENVIRONMENT, vacuum_environment
from tests.acceptance.stack import clean_environment

NO_SETTINGS = {"DO_NOT_TRACK"}
LOGGER_LEVEL = "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL"
"""Goes over the logging configuration, not over a setting."""
READ = """
import json
from prefect.logging.configuration import DEFAULT_LOGGING_SETTINGS_PATH, load_logging_config
from prefect.settings import get_current_settings
found = get_current_settings()
vacuum = found.server.services.db_vacuum
print(json.dumps({
    "set": found.to_environment_variables(exclude_unset=True),
    "task_runs_level": load_logging_config(DEFAULT_LOGGING_SETTINGS_PATH)["loggers"]["prefect.task_runs"]["level"],
    "vacuum": sorted(vacuum.enabled_vacuum_types),
    "vacuum_seconds": [vacuum.loop_seconds, vacuum.orphan_cleanup_loop_seconds],
    "events_seconds": found.server.events.retention_period.total_seconds(),
}))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a process of Prefect's makes of the environment."""
    given = PREFECT_ENVIRONMENT | vacuum_environment(1.0)
    home = str(tmp_path_factory.mktemp("home"))
    done = subprocess.run(
        [sys.executable, "-c", READ],
        env=clean_environment(PREFECT_HOME=home, **given),
        cwd=Path(home),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    found: dict[str, Any] = TypeAdapter(dict[str, Any]).validate_python(json.loads(done.stdout))
    return found


def test_every_name_is_a_setting_of_the_installed_prefect(read: dict[str, Any]) -> None:
    names = set(PREFECT_ENVIRONMENT | vacuum_environment(1.0)) - NO_SETTINGS - {LOGGER_LEVEL}
    assert names - set(read["set"]) == set()


def test_task_runs_that_went_well_write_no_line_into_prefect_s_database(read: dict[str, Any]) -> None:
    assert read["task_runs_level"] == "WARNING"


def test_prefect_prunes_events_and_orphans_and_leaves_flow_runs_to_us(read: dict[str, Any]) -> None:
    assert read["vacuum"] == ["events", "orphans"]
    assert read["events_seconds"] == timedelta(days=1).total_seconds()
    assert read["vacuum_seconds"] == [3600.0, 3600.0]


@pytest.mark.parametrize(("days", "seconds"), [(30.0, 3600), (1.0, 3600), (0.5, 1800), (0.0001, 1)])
def test_old_events_are_looked_for_hourly_or_oftener_where_they_are_kept_shortly(days: float, seconds: int) -> None:
    assert vacuum_environment(days)["PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS"] == str(seconds)
