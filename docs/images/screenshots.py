"""Makes the screenshots of the documents from a running service with the sample of books:

make run & python docs/images/screenshots.py http://127.0.0.1:8000 ADMIN_PASSWORD
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
SIZE = {"width": 1000, "height": 640}


def shoot(browser: Browser, base: str, password: str, name: str, path: str, **options) -> None:
    """One page as PNG; with a password, as the admin sees it."""
    context = browser.new_context(**{"viewport": SIZE, "locale": "en", **options})
    page = context.new_page()
    if password:
        page.goto(f"{base}/auth/login")
        page.get_by_label("Username", exact=True).fill("admin")
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("button", name="Sign out").wait_for()
    page.goto(base + path)
    page.screenshot(path=HERE / f"{name}.png")
    context.close()


def main(base: str, password: str) -> None:
    """All of them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        shoot(browser, base, "", "catalogue", "/books")
        shoot(browser, base, password, "form-dark", "/books/1/edit", color_scheme="dark")
        phone = {"viewport": {"width": 390, "height": 640}}
        shoot(browser, base, "", "phone", "/books/2", **phone)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
