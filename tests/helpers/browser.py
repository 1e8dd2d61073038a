"""Chromium, driven by Playwright, for the tests of pages."""

import contextlib
import shutil

from helpers.instance import PASSWORD

CHROMIUM = shutil.which("chromium")


@contextlib.contextmanager
def chromium():
    """The browser of the machine, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page, base, username="admin", password=PASSWORD):
    page.goto(f"{base}/auth/login")
    page.get_by_label("Username", exact=True).fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Sign out").wait_for()


def fill(page, **fields):
    """Type into fields by their labels; underscores are spaces."""
    for label, text in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)
