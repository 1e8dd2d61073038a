"""A real browser."""

import contextlib
import shutil

import pytest

from helpers.instance import PASSWORD

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


def sign_in(page, base, username="admin", password=PASSWORD):
    page.goto(f"{base}/auth/login")
    fill(page, Username=username, Password=password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Sign out").wait_for()


def fill(page, **fields):
    """Type into fields by their labels; underscores are spaces."""
    for label, text in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)
