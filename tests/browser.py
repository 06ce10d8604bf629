"""The installed Chromium, driven by Playwright: what a person sees, and what their browser asks for."""

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def chromium() -> str:
    """Return where the browser is; `make setup-test` installs it."""
    found = next(filter(None, map(shutil.which, (*NAMES, *APPLICATIONS))), None)
    assert found is not None, "no Chromium is installed: make setup-test"
    return found


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser without a window; give each test a context of its own."""
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs a user that is not root; no page here is a stranger's.
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield started
        finally:
            started.close()
