"""docs/examples/spa.html in a real browser, from another origin than the service (-m parts)."""

import functools
import http.server
import threading

import pytest

from helpers.browser import chromium
from helpers.instance import PASSWORD, ROOT
from helpers.servers import serving
from helpers.support import bookapi

pytestmark = pytest.mark.parts
PATIENCE = 30_000  # milliseconds


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def origin():
    """The origin of the page, on another port than the service."""
    files = functools.partial(_Files, directory=str(ROOT / "docs" / "examples"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def open_page(origin, tmp_path_factory):
    """A function that opens the page for a service, in a browser profile of its own."""
    folder = tmp_path_factory.mktemp("spa") / "instance"
    assert bookapi(folder, "init", ADMIN_PASSWORD=PASSWORD).returncode == 0
    with chromium() as browser:

        def open_(service):
            page = browser.new_context().new_page()
            page.set_default_timeout(PATIENCE)
            host, port = service.address
            page.goto(f"{origin}/spa.html?api=http://{host}:{port}")
            return page

        open_.folder = folder
        yield open_


def _says(page, text):
    page.locator("#status", has_text=text).wait_for()


def _sign_in(page):
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_page_of_a_named_origin_signs_in_searches_adds_and_sees_a_conflict(open_page, origin):
    with serving(open_page.folder, CORS_ORIGINS=origin) as service:
        first, second = open_page(service), open_page(service)
        for page in (first, second):
            _says(page, "books")
            _sign_in(page)
            _says(page, "signed in as admin")
        first.get_by_label("Title").fill("Emma")
        first.get_by_label("Authors").fill("Jane Austen, Somebody")
        first.get_by_role("button", name="Save").click()
        _says(first, "saved")
        for page in (first, second):
            page.get_by_role("searchbox").fill("emma austen")
            page.get_by_role("button", name="Search").click()
            _says(page, "1 books")
            page.get_by_role("button", name="Edit Emma").click()
            _says(page, "version 1")
        first.get_by_label("Title").fill("Emma, changed")
        first.get_by_role("button", name="Save").click()
        _says(first, "saved")
        second.get_by_label("Title").fill("Emma, overwritten")
        second.get_by_role("button", name="Save").click()
        _says(second, "Somebody else has changed this book")
        second.get_by_role("button", name="Edit Emma").click()
        _says(second, "version 2")
        assert second.get_by_label("Title").input_value() == "Emma, changed"


def test_a_page_of_another_origin_can_neither_read_nor_sign_in(open_page):
    with serving(open_page.folder, CORS_ORIGINS="https://app.example") as service:
        page = open_page(service)
        _says(page, "Failed to fetch")
        _sign_in(page)
        _says(page, "Failed to fetch")
        assert page.context.cookies() == []
