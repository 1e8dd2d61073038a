"""A response from the cache: the same bytes as without a cache, but for the request id."""

import gc
import re
import tracemalloc

import pytest

from bookapi.http.cache import CACHE
from helpers.caching import CACHED, TAGGED, comparable, entering, in_formats, tag_of


def test_a_hit_equals_the_miss_and_bypasses_flask(reader, uncached, entered):
    asked = sum(map(in_formats, CACHED), [])
    for each in asked:
        made = comparable(uncached.get(**each))
        assert [comparable(reader.get(**each)) for _ in range(3)] == [made] * 3 and made[
            0
        ] == "200 OK"
        assert (
            comparable(reader.head(**each)) == comparable(uncached.head(**each)) == (*made[:2], b"")
        )
    assert len(entered) == len(asked)


def test_a_get_after_a_head_has_its_body(reader, uncached):
    for each in sum(map(in_formats, TAGGED), []):
        head = comparable(reader.head(**each))
        assert (head, comparable(reader.get(**each))) == (
            comparable(uncached.head(**each)),
            comparable(uncached.get(**each)),
        )
        assert head[0] == "200 OK" and head[2] == b""


def test_the_body_of_a_get_is_ignored(reader, uncached, entered):
    plain = comparable(uncached.get("/books/1"))
    assert [
        comparable(reader.get("/books/1", **more))
        for more in ({}, {"data": b"x" * 5000}, {"json": {"title": "other"}}, {})
    ] == [plain] * 4
    assert entered == ["GET /books/1"]


def test_responses_larger_than_the_cache_are_served(make_app, editor, uncached):
    client = make_app(ANSWER_CACHE_BYTES=3000).test_client()
    editor.patch("/books/1", json={"description": "long " * 1000})
    with entering(client.application) as entered:
        assert [comparable(client.get("/books/1")) for _ in range(2)] == [
            comparable(uncached.get("/books/1"))
        ] * 2
    assert len(entered) == 2 and client.application.extensions[CACHE].used <= 3000


def test_a_full_cache_evicts_and_serves_correctly(make_app, editor, uncached):
    client = make_app(ANSWER_CACHE_BYTES=20_000).test_client()
    for _ in range(2):
        for asked in sum(map(in_formats, CACHED), []):
            assert comparable(client.get(**asked)) == comparable(uncached.get(**asked))
    assert 0 < client.application.extensions[CACHE].used <= 20_000


@pytest.mark.slow
def test_cached_responses_take_the_counted_memory(reader, app):
    def ask(numbers):
        for number in numbers:
            assert (
                reader.get(
                    "/books/1", headers={"Accept": f"application/json;n={number}"}
                ).status_code
                == 200
            )
        gc.collect()

    ask(range(200))
    counted = -app.extensions[CACHE].used
    tracemalloc.start()
    try:
        ask(range(200, 400))
        taken, counted = tracemalloc.get_traced_memory()[0], counted + app.extensions[CACHE].used
    finally:
        tracemalloc.stop()
    assert len(app.extensions[CACHE]) == 400
    assert taken <= 1.5 * counted


def _requests(reader, editor):
    """A miss, a hit, a HEAD that hits, a 304 from the cache and one without it, and those of an
    export.
    """
    tag = tag_of(editor.get("/books/1"))
    known = {"If-None-Match": tag}
    yield "miss", lambda own: reader.get("/books/1", headers=own)
    yield "hit", lambda own: reader.get("/books/1", headers=own)
    yield "head", lambda own: reader.head("/books/1", headers=own)
    yield "hit 304", lambda own: reader.get("/books/1", headers={**known, **own})
    yield "miss 304", lambda own: editor.get("/books/1", headers={**known, **own})
    tag = tag_of(editor.head("/books/export"))
    yield "export", lambda own: reader.get("/books/export", headers=own)
    yield (
        "export 304",
        lambda own: reader.get("/books/export", headers={"If-None-Match": tag, **own}),
    )
    yield "failure", lambda own: reader.get("/nowhere", headers=own)


def test_a_valid_request_id_is_returned_to_its_sender_only(reader, editor):
    for number, (way, ask) in enumerate(_requests(reader, editor)):
        given = f"mine:{number}"
        assert ask({"X-Request-ID": given}).headers.getlist("X-Request-ID") == [given], way
        assert re.fullmatch("[0-9a-f]{32}", ask({}).headers["X-Request-ID"]), way


def test_each_response_has_its_own_request_id(reader, editor):
    ids = [
        ask({"X-Request-ID": given}).headers["X-Request-ID"]
        for _, ask in _requests(reader, editor)
        for given in ("", "a b", "é", "a" * 129, "<b>")
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
