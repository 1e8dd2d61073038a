"""The benchmarks run and measure correctly, whatever the speed."""

import importlib
import re
import subprocess
import sys

import pytest

from bookapi.books.schemas import book_schema
from helpers.instance import ROOT
from helpers.support import SECONDS

COUNT = 300


@pytest.fixture
def benchmark(monkeypatch):
    """A function that imports a module of the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_the_books_are_the_same_each_time(benchmark, tmp_path):
    books = benchmark("books")
    for name in ("one", "other"):
        books.write(COUNT, tmp_path / name)
    written = (tmp_path / "one").read_bytes()
    assert written == (tmp_path / "other").read_bytes()
    assert written.count(b"\n") == COUNT
    assert not written.isascii()


def test_the_books_are_valid_and_each_has_its_own_isbn(benchmark):
    books = benchmark("books")
    loaded = [book_schema.load(book) for book in books.generate(COUNT)]
    isbns = [book["isbn"] for book in loaded]
    assert isbns == [book["isbn"] for book in books.generate(COUNT)]  # thirteen digits already
    created = [
        book_schema.load({"title": "T", "isbn": books.new_isbn(number)})["isbn"]
        for number in (0, 1, 2, 899_999_999)
    ]
    assert len({*isbns, *created}) == COUNT + len(created)


def test_authors_have_several_books_and_rare_words_few(benchmark):
    books = benchmark("books")
    made = list(books.generate(COUNT))
    assert {name for book in made for name in book["authors"]} <= set(books.authors(COUNT))
    assert len(set(books.authors(COUNT))) == COUNT // 5
    assert all(sum(word in book["description"] for word in books.RARE_WORDS) == 1 for book in made)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length:5\r\nDate: now\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n1a;x=y\r\nContent-Length: 7\r\n\r\n12345\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_the_loader_detects_the_end_of_a_response(benchmark, answer):
    answer_end = benchmark("loader").answer_end
    assert answer_end(answer) == answer_end(answer + b"HTTP/1.1 ") == len(answer)
    assert [answer_end(answer[:length]) for length in range(len(answer))] == [None] * len(answer)


@pytest.mark.parametrize(("answers", "bad"), [(10, 1), (0, 0)])
def test_failed_and_missing_responses_are_counted(benchmark, capsys, answers, bad):
    measure, run = benchmark("measure"), benchmark("run")
    good = measure.Turn(benchmark("load").Result(10, 1.0, 1.0, 1.0, 0, 0.5), 1.0)
    wrong = good._replace(result=good.result._replace(answers=answers, bad=bad))
    plan = measure.Plan(60, 1, 2, False, None)
    assert (
        run.report(plan, (set(), set()), [measure.Row("one", [(good, good), (good, good)])], [])
        == 0
    )
    assert "BAD" not in capsys.readouterr().out
    assert (
        run.report(plan, (set(), set()), [measure.Row("one", [(good, good), (wrong, good)])], [])
        == 1
    )
    assert "BAD ANSWERS, so these figures mean nothing: one: 1" in capsys.readouterr().out


def _run(*arguments, module="run"):
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
    )


@pytest.mark.slow
def test_a_short_run_prints_its_tables():
    done = _run(
        "--books",
        "60",
        "--seconds",
        "0.1",
        "--turns",
        "1",
        "--loader",
        "own",
        "--work",
        "export-xml,create",
    )
    assert done.returncode == 0, done.stderr
    conditions, *lines = done.stdout.splitlines()
    assert conditions.startswith("60 books; Python ") and "loader.py" in conditions
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    assert [row[0] for row in rows] == ["work", "---", "create", "work", "---", "export-xml"]
    assert rows[2][-1] == rows[5][-1] == "0"
    assert [len(row) for row in rows] == [11, 11, 11, 9, 9, 9]


@pytest.mark.slow
def test_an_unknown_workload_is_reported():
    done = _run("--work", "list,nothing")
    assert done.returncode == 2
    assert "nothing: not of list" in done.stderr


@pytest.mark.slow
def test_an_import_is_measured_beside_a_plain_loop():
    done = _run("--books", "60", "--turns", "1", module="imports")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if "|" in line]
    assert [row.partition(":")[0] for row in rows[2:]] == ["created"] * 3 + ["unchanged"] * 3


def test_a_request_passes_no_more_functions_than_the_architecture_says():
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.path"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert result.returncode == 0, result.stderr
    counted = re.compile(r"(\d+) functions in (\d+) files$", re.MULTILINE)
    [now] = counted.findall(result.stdout)
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    [said] = re.findall(r"\| together \| (\d+) functions in (\d+) files \|", page)
    assert all(int(number) <= int(most) for number, most in zip(now, said, strict=True))
