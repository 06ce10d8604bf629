"""The stack whose Prefect server these tests use; the acceptance tests share it."""

import pytest

from tests.acceptance.stack import Stack, session_stack


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    return session_stack(request.config)
