"""Fixtures of the tests of the import command."""

import json

import pytest

from helpers.support import csv_bytes, stored


@pytest.fixture
def load(runner, tmp_path):
    """A function that imports bytes and returns (report, result); `fails` is the exit status that
    is expected.
    """

    def run(content, *options, name="books.csv", fails=0):
        path, report = tmp_path / name, tmp_path / "report.json"
        path.write_bytes(content)
        report.unlink(missing_ok=True)
        result = runner.invoke(
            args=["books", "import", str(path), "--report", str(report), *options]
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(
            result.exception
        )
        assert result.exit_code == fails, result.output
        return (json.loads(report.read_text()) if report.exists() else None), result

    return run


@pytest.fixture
def load_one(load, client):
    """A function that imports one book with one more cell; returns the book as stored and the
    report.
    """

    def run(header, cell, *options):
        report, _ = load(csv_bytes(["title", header], ["Emma", cell]), *options)
        [book] = stored(client)
        return book, report

    return run
