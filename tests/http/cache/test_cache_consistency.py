"""Sequences of requests and concurrent threads: no response is older than the last change."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookapi.http.load import LOAD, Load
from helpers.caching import BOOKS, FURTHER, ISBN, NEW, TYPES, comparable
from helpers.inventions import bounded

_NUMBERS = st.sampled_from([ISBN, FURTHER, NEW])
_DOCUMENTS = st.fixed_dictionaries(
    {"title": st.sampled_from(["Emma", "Persuasion", "Ulysses"])},
    optional={
        "authors": st.lists(st.sampled_from(["Jane Austen", "JANE AUSTEN", "B"]), max_size=2),
        "isbn": st.none() | _NUMBERS,
        "language": st.sampled_from(["en", "fr"]),
        "subjects": st.just(["Fiction"]),
        "pages": st.integers(1, 2),
        "identifiers": st.lists(
            st.builds(lambda value: {"scheme": "isbn", "value": value}, _NUMBERS), max_size=1
        ),
    },
)
_CHANGE = st.tuples(
    st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "PUT isbn"]),
    st.integers(0, 2),
    _DOCUMENTS,
    _NUMBERS,
    st.booleans(),
)
_READ = st.tuples(
    st.sampled_from(
        [
            "/books/{id}",
            "/books/isbn/{isbn}",
            "/books?sort=-id&limit=3",
            "/books?author=jane+austen&limit=2",
            "/",
            "/books?title=Emma&page=2&limit=1",
            "/books?isbn={isbn}",
            "/books/authors",
            "/books?q=ulysses",
            "/books?facets=language,author&limit=1",
            "/books/export?isbn={isbn}",
        ]
    ),
    st.integers(0, 2),
    _NUMBERS,
    st.sampled_from(["json", "xml"]),
    st.sampled_from(["GET", "GET", "HEAD"]),
    st.booleans(),
)


class Comparison:
    """An application with a cache and one without, on one database: the same requests get the same
    responses.
    """

    def __init__(self, reader, uncached, changers, entered):
        self.reader, self.uncached, self.changers, self.entered = (
            reader,
            uncached,
            changers,
            entered,
        )
        self.tags, self.bodies, self.newest, self.hits = {}, {}, len(BOOKS), 0
        self.asked = {}

    def change(self, method, place, document, isbn, elsewhere):
        client, address = self.changers[elsewhere], f"/books/{self.newest - place}"
        if method == "DELETE":
            client.delete(address)
            return
        address = {"POST": "/books", "PUT isbn": f"/books/isbn/{isbn}"}.get(method, address)
        sent = {
            name: value
            for name, value in document.items()
            if name != "isbn" or method != "PUT isbn"
        }
        answer = client.open(address, method=method.partition(" ")[0], json=sent)
        assert answer.status_code in (200, 201, 409, 410), answer.json
        self.newest = max(self.newest, answer.json["id"] if answer.status_code == 201 else 0)

    def read(self, pattern, place, isbn, name, method, conditional):
        path = pattern.format(id=self.newest - place, isbn=isbn)
        self.asked[path, name] = method, conditional
        self._compare(path, name, method, conditional)
        self._compare(path, name, "GET", False)
        before = len(self.entered)
        self._compare(path, name, "GET", True)
        self.hits += len(self.entered) == before

    def again(self):
        """All that was read before, as it was."""
        for (path, name), (method, conditional) in self.asked.items():
            self._compare(path, name, method, conditional)

    def _compare(self, path, name, method, conditional):
        known = (
            {"If-None-Match": self.tags[path, name]}
            if conditional and (path, name) in self.tags
            else {}
        )
        asked = {"path": path, "method": method, "headers": {"Accept": TYPES[name], **known}}
        answer, other = self.reader.open(**asked), self.uncached.open(**asked)
        assert comparable(answer) == comparable(other), asked
        if "ETag" in answer.headers:
            self.tags[path, name] = answer.headers["ETag"]
        if answer.status_code == 200 and method == "GET":
            body = self.bodies.setdefault((path, name, answer.headers["ETag"]), answer.get_data())
            assert body == answer.get_data(), "one tag for two bodies"


@pytest.mark.slow
@settings(bounded, max_examples=25)
@given(steps=st.lists(st.one_of(_CHANGE, _READ, _READ), min_size=4, max_size=14))
def test_any_sequence_gives_the_same_with_and_without_a_cache(
    editor, reader, uncached, elsewhere, entered, steps
):
    comparison = Comparison(reader, uncached, (editor, elsewhere), entered)
    comparison.newest = uncached.get("/books?sort=-id&limit=1").json["books"][0]["id"]
    for step in steps:
        if len(step) == 5:
            comparison.change(*step)
            comparison.again()
        else:
            comparison.read(*step)


WRITERS, READERS, TURNS = 3, 5, 20


@pytest.mark.slow
def test_no_thread_sees_a_state_older_than_acknowledged(app, editor):
    app.extensions[LOAD] = Load(threads=100)
    cookie = {"Cookie": f"bookapi={editor.get_cookie('bookapi').value}"}
    known, lock, ended, faults, reads = (
        {1: 1, 2: 1, 3: 1, "total": 3},
        threading.Lock(),
        threading.Event(),
        [],
        [],
    )

    def write(number):
        client = app.test_client(use_cookies=False)
        for turn in range(TURNS):
            answer = client.patch(f"/books/{number}", json={"pages": turn + 2}, headers=cookie)
            version = answer.json["version"]
            with lock:
                known[number] = version
            if turn % 4 == number:
                assert (
                    client.post(
                        "/books", json={"title": f"{number} {turn}"}, headers=cookie
                    ).status_code
                    == 201
                )
                with lock:
                    known["total"] += 1

    def read(number):
        client, turn = app.test_client(use_cookies=False), number
        while not ended.is_set() or turn < 20:
            turn += 1
            book = turn % 3 + 1
            address = (
                f"/books/{book}",
                "/books?limit=3",
                "/books/authors",
                f"/books/{book}?format=xml",
            )[turn % 4]
            with lock:
                least = dict(known)
            answer = client.get(address)
            reads.append(address)
            if answer.status_code != 200:
                faults.append((address, answer.status))
            elif address == f"/books/{book}" and not answer.json["version"] >= least[book]:
                faults.append((address, answer.json["version"], least[book]))
            elif (
                address.endswith("xml")
                and int(re.search(rb"<version>(\d+)<", answer.get_data())[1]) < least[book]
            ):
                faults.append((address, answer.get_data(), least[book]))
            elif address.startswith("/books?") and not (
                answer.json["total"] >= least["total"]
                and all(shown["version"] >= least[shown["id"]] for shown in answer.json["books"])
            ):
                faults.append((address, answer.json, least))

    with ThreadPoolExecutor(WRITERS + READERS) as pool:
        readers = [pool.submit(read, number) for number in range(READERS)]
        try:
            list(pool.map(write, (1, 2, 3)))
        finally:
            ended.set()
        for reader in readers:
            reader.result()
    assert (faults, known) == (
        [],
        {**dict.fromkeys((1, 2, 3), TURNS + 1), "total": 3 + 3 * TURNS // 4},
    )
    assert len(reads) > 20 * READERS
