"""Makes the screenshots of the documents, of a service of its own with the sample of books; with
the name of a folder those of all pages, as a desktop, a phone, a dark screen and paper show them:

.venv/bin/python docs/images/screenshots.py [FOLDER]
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
PASSWORD = "the password of these pictures"  # noqa: S105
DESKTOP, PHONE = {"width": 1000, "height": 640}, {"width": 390, "height": 640}
WAYS = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "has_touch": True},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "german": {"viewport": DESKTOP, "locale": "de"},
    "print": {"viewport": {"width": 720, "height": 1000}},
}
RIGHT_TO_LEFT = [
    {"title": "ألف ليلة وليلة", "subtitle": "حكايات", "authors": ["مجهول"], "language": "ar"}
    | {"description": "كتاب يضم مجموعة من القصص.\nAn English line.", "subjects": ["أدب"]},
    {"title": "שיר השירים", "authors": ["שלמה"], "language": "he", "publisher": "ירושלים"},
]
PAGES = {
    **{"start": "/", "list": "/books", "search": "/books?q=the&language=en", "book": "/books/2"},
    **{"authors": "/books/authors", "nowhere": "/nowhere", "new": "/books/new"},
    **{"edit": "/books/1/edit", "history": "/books/1/history", "import": "/books/import"},
    **{"trash": "/books?state=deleted", "in-trash": "/books/4?state=deleted", "me": "/auth/me"},
    **{"changes": "/books/changes", "users": "/auth/users", "user": "/auth/users/1"},
    **{"tokens": "/auth/tokens", "sessions": "/auth/sessions", "events": "/auth/events"},
    **{"right-to-left": "/books?sort=-id&limit=4", "right-to-left-book": "/books/101"},
    **{"right-to-left-edit": "/books/101/edit", "sign-in": "/auth/login"},
}


@contextmanager
def service() -> Iterator[str]:
    """The address of a service in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"BOOKAPI_INSTANCE_PATH": folder, "BOOKAPI_ADMIN_PASSWORD": PASSWORD}
        environment = {**os.environ, **settings}
        command = [sys.executable, "-m", "bookapi"]
        for arguments in (["init"], ["books", "sample"]):
            subprocess.run([*command, *arguments], env=environment, check=True, stdout=2)  # noqa: S603
        with subprocess.Popen(  # noqa: S603
            [*command, "serve", "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            lines: Iterator[str] = iter(process.stdout or ())
            yield next(line.split()[-1] for line in lines if "serving on http" in line)
            process.terminate()


def signed_in(browser: Browser, base: str, stocked: bool) -> dict[str, object]:
    """What a browser keeps that has signed in as the admin, and perhaps changed and added books."""
    context = browser.new_context(locale="en")
    page = context.new_page()
    page.goto(f"{base}/auth/login")
    page.get_by_label("Username", exact=True).fill("admin")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Sign out").wait_for()
    if stocked:
        for data in RIGHT_TO_LEFT:
            page.request.post(f"{base}/books", data=data)
        page.request.patch(f"{base}/books/1", data={"subtitle": "A new subtitle", "pages": 300})
        page.request.delete(f"{base}/books/4")
    state: dict[str, object] = {**context.storage_state()}
    context.close()
    return state


def shoot_all(browser: Browser, base: str, state: dict[str, object], folder: Path) -> None:
    """Each page in each way; the sign-in as a stranger sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    for way, options in WAYS.items():
        context = browser.new_context(**{"locale": "en", "storage_state": state, **options})
        page = context.new_page()
        if way == "print":
            page.emulate_media(media="print")
        for name, path in PAGES.items():
            if name == "sign-in":
                context.clear_cookies()
            page.goto(base + path)
            page.screenshot(path=folder / f"{name}-{way}.png", full_page=True)
        context.close()


def shoot_documented(browser: Browser, base: str, state: dict[str, object]) -> None:
    """Those of the documents."""
    for name, path, options in (
        ("catalogue", "/books", {"viewport": DESKTOP}),
        ("form-dark", "/books/1/edit", {**WAYS["dark"], "storage_state": state}),
        ("phone", "/books/2", {"viewport": PHONE}),
    ):
        context = browser.new_context(**{"locale": "en", **options})
        page = context.new_page()
        page.goto(base + path)
        page.screenshot(path=HERE / f"{name}.png")
        context.close()


def main(folder: str = "") -> None:
    """All of them."""
    with service() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        state = signed_in(browser, base, bool(folder))
        if folder:
            shoot_all(browser, base, state, Path(folder))
        else:
            shoot_documented(browser, base, state)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
