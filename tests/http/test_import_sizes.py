"""The size of the body of an import, and where it is kept."""

import contextlib
import io
import os
import tempfile
from pathlib import Path

import pytest

from bookapi.books.imports import upload
from helpers.books import FULL
from helpers.imports import KINDS, body_of, counts, each, is_refused, post_import
from helpers.instance import Auth
from helpers.support import jsonl_bytes, stored


@pytest.fixture
def limited(make_app):
    """An admin of a service that takes bodies up to 2 KiB, and imports up to 16."""
    client = make_app(MAX_BODY_BYTES=2048, MAX_IMPORT_BYTES=16384).test_client()
    Auth(client).login()
    return client


@pytest.mark.parametrize("size, status", [(2049, 200), (16384, 200), (16385, 413), (100_000, 413)])
@each
def test_imports_have_their_own_size_limit(limited, size, status, name):
    body = body_of(name, {"title": "Emma"}).ljust(size, b"\n")
    assert post_import(limited, body, name).status_code == status
    assert len(stored(limited)) == (status == 200)
    assert is_refused(limited.post("/books", data=body, content_type=KINDS["json"]), 413)


def test_a_body_of_unknown_length_has_the_import_limit(limited):
    for size, status in ((10_000, 200), (20_000, 413)):
        answer = limited.post(
            "/books/import",
            input_stream=io.BytesIO(jsonl_bytes({"title": "a"}).ljust(size, b"\n")),
            content_type=KINDS["jsonl"],
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == status


def test_an_incomplete_body_is_a_400(admin):
    for terminated in (True, False):
        answer = admin.post(
            "/books/import",
            input_stream=io.BytesIO(jsonl_bytes(FULL)),
            content_type=KINDS["jsonl"],
            environ_overrides={"wsgi.input_terminated": terminated, "CONTENT_LENGTH": "5000"},
        )
        assert is_refused(answer, 400) and stored(admin) == []


def test_a_full_disk_is_a_507(admin, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upload.shutil, "copyfileobj", full)
    assert is_refused(post_import(admin, jsonl_bytes(FULL)), 507)


class WatchedBody(io.BytesIO):
    """A body that notes the unnamed files that are open while the rest of it is read."""

    def __init__(self, body, folder):
        super().__init__(body)
        self.folder, self.seen = str(folder), set()

    def look(self):
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the one that lists the others
                target = os.readlink(entry)
                if target.startswith(self.folder):
                    self.seen.add(target.removesuffix(" (deleted)"))

    def read(self, size=-1):
        self.look()
        return super().read(size)

    def readinto(self, buffer):
        self.look()
        return super().readinto(buffer)


@pytest.mark.slow
@pytest.mark.parametrize("size, files", [(10_000, 0), (3_000_000, 1)])
def test_a_large_body_goes_to_an_unnamed_file(admin, monkeypatch, tmp_path, size, files):
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    body = WatchedBody(jsonl_bytes({"title": "Emma"}).ljust(size, b"\n"), folder)
    answer = admin.post(
        "/books/import",
        input_stream=body,
        content_type=KINDS["jsonl"],
        environ_overrides={"CONTENT_LENGTH": str(size)},
    )
    assert counts(answer) == (1, 1, 0, 0, 0)
    assert len(body.seen) == files and list(folder.iterdir()) == []
