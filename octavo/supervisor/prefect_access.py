"""Where a stack's Prefect server is, and how one signs in; for this machine's operator, never for strangers.

The login is what Prefect calls an auth string, `USER:PASSWORD`: its UI asks for all of it, its API wants it as Basic
authorization. That of the embedded server is random and kept in the data directory; a server of your own brings its
own (`prefect.auth_string`, or Prefect's own variable).
"""

import base64
import os
from dataclasses import dataclass, field

from octavo.directory import DataDirectory
from octavo.settings import Settings

LOGIN = "prefect_login"
"""Name of the secret in the data directory."""
USER = "octavo"
FAILURES_PATH = "/octavo/failures"
"""Where a server that Octavo starts tells, below its API, which of its services have failed lately."""
AUTH_VARIABLE = "PREFECT_API_AUTH_STRING"
"""What Prefect's clients know a login by."""


@dataclass(frozen=True, slots=True)
class PrefectAccess:
    """Addresses and login of a Prefect server."""

    api_url: str
    ui_url: str
    login: str | None = field(repr=False)

    @property
    def authorization(self) -> str | None:
        """Value of the header `Authorization`; None for a server that asks for none."""
        return None if self.login is None else basic(self.login)

    @property
    def headers(self) -> dict[str, str]:
        """The header fields of a request to the API."""
        return {} if self.authorization is None else {"Authorization": self.authorization}


def basic(login: str) -> str:
    """Return a login as Basic authorization."""
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def own_login(settings: Settings) -> str | None:
    """Return the login that the operator has given for a server of their own."""
    given = settings.prefect.auth_string
    return os.environ.get(AUTH_VARIABLE) if given is None else given.get_secret_value()


def make_login(directory: DataDirectory) -> str:
    """Return the embedded server's login; it is made the first time."""
    return directory.secret(LOGIN, beginning=f"{USER}:")


def read_access(settings: Settings) -> PrefectAccess | None:
    """Return how the Prefect server of a stack is reached; None before the first start with an embedded one."""
    given, directory = settings.prefect, DataDirectory(settings.data)
    notes = directory.notes()
    api_url = given.api_url or notes.get("prefect_url")
    if api_url is None:
        return None
    login = own_login(settings)
    # The settings of a running stack may be known to its own process alone; what it noted tells whose server it is.
    is_embedded = given.api_url is None and api_url.endswith(f":{notes.get('prefect_port')}/api")
    if is_embedded and directory.secret_file(LOGIN).exists():
        login = directory.kept_secret(LOGIN)
    return PrefectAccess(api_url, given.ui_url or notes.get("prefect_ui_url") or api_url.removesuffix("/api"), login)
