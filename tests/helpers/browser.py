"""A real browser."""

import contextlib
import shutil

import pytest

OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")


@contextlib.contextmanager
def chromium():
    """Chromium, by Playwright, until the block ends; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=[*OPTIONS])
        yield browser
        browser.close()
