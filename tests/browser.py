"""Pages in headless Chromium: a page fails its test when its console says anything."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.conftest import missing


@contextmanager
def browsing(*, width: int = 1280, dark: bool = False) -> Iterator[Page]:
    """Open a page; at the end, fail on console messages and uncaught errors."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        missing("no Chromium on this machine: install the package chromium")
    said: list[str] = []
    with sync_playwright() as playwright:
        # Chromium refuses its own sandbox to root, which tests in a container are.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
        yield page
        browser.close()
    assert said == []
