"""The stack that most acceptance tests share."""

import pytest

from tests.acceptance.stack import Stack, session_stack


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    return session_stack(request.config)
