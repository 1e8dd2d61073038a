"""Conditional requests: ETag, If-None-Match and 304."""

import re

import pytest

from helpers.caching import (
    CACHED,
    EXPORTS,
    ONES,
    SEARCH,
    TAGGED,
    TERMS,
    comparable,
    in_formats,
    tag_of,
)
from helpers.instance import DATABASE_URL, Auth

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}
KNOWN = [
    "{tag}",
    "W/{tag}",
    '"x", {tag}',
    '{tag}, "x"',
    '"x",W/{tag},"y"',
    '"a,b", {tag}',
    ", {tag}",
    "*",
]
UNKNOWN = [
    '"x"',
    'W/"x"',
    '"x", "y"',
    "nonsense",
    "",
    '"',
    '""',
    ",",
    '"unclosed',
    "{short}",
    "{upper}",
    '"{tag}"',
    '"*"',
    '"x", *',
    "W/",
    "{other}",
    "\xff",
    '"' * 500,
    "{tag}{tag}",
]


def _filled(pattern, answer, other):
    tag = answer.headers["ETag"]
    return pattern.format(
        tag=tag, short=tag[:-2] + '"', upper=tag.upper().replace("JSON", "Json"), other=other
    )


@pytest.mark.parametrize("address", ["/", "/books", *ONES[:2], TERMS[0], EXPORTS[0]])
def test_a_304_needs_a_matching_etag(editor, reader, uncached, address):
    whole = uncached.get(address)
    other = tag_of(uncached.get(address, headers={"Accept": "application/xml"}))
    for client in (reader, reader, editor, uncached):
        for status, patterns in ((304, KNOWN), (200, UNKNOWN)):
            for pattern in patterns:
                given = {"If-None-Match": _filled(pattern, whole, other)}
                answers = [client.get(address, headers=given), client.head(address, headers=given)]
                assert [answer.status_code for answer in answers] == [status] * 2, given
                assert status == 304 or comparable(answers[0]) == comparable(whole), given


def test_every_public_response_has_an_etag_and_a_304_without_body(editor, reader, uncached):
    for asked in sum(map(in_formats, TAGGED), []):
        tag = tag_of(uncached.get(**asked))
        assert re.fullmatch(r'"[0-9a-z-]+"', tag)
        for client in (reader, reader, editor, uncached):
            for method in ("GET", "HEAD"):
                answer = client.open(
                    **{**asked, "headers": {**asked["headers"], "If-None-Match": tag}},
                    method=method,
                )
                assert (answer.status_code, answer.get_data()) == (304, b"")
                same = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept", **SAFE}
                assert {name: answer.headers.get(name) for name in same} == same
                assert not {"Content-Type", "Content-Length", "Content-Encoding"} & set(
                    answer.headers.keys()
                )


def test_searches_are_cached_if_the_index_is_transactional(reader, entered):
    answers = [comparable(reader.get(SEARCH)) for _ in range(3)]
    assert (answers[1:], len(entered)) == (answers[:1] * 2, 3 if DATABASE_URL else 1)


def test_a_304_of_a_cached_response_bypasses_flask(reader, entered):
    tags = {address: tag_of(reader.get(address)) for address in CACHED}
    entered.clear()
    statuses = {
        reader.get(address, headers={"If-None-Match": tag}).status_code
        for address, tag in tags.items()
    }
    assert (statuses, entered) == ({304}, [])


def test_a_304_on_a_miss_caches_the_full_response(reader, uncached, entered):
    tag = tag_of(uncached.get("/books"))
    assert reader.get("/books", headers={"If-None-Match": tag}).status_code == 304
    assert comparable(reader.get("/books")) == comparable(uncached.get("/books"))
    assert entered == ["GET /books"]


def test_an_etag_is_invalid_after_a_change(editor, reader, uncached):
    tags = {address: tag_of(reader.get(address)) for address in TAGGED}
    editor.patch(
        "/books/1",
        json={
            "title": "Emma!",
            "authors": ["A"],
            "subjects": ["S"],
            "publisher": "P",
            "language": "de",
        },
    )
    newest = {address: tag_of(uncached.get(address)) for address in TAGGED}
    for address, tag in tags.items():
        answers = [
            client.get(address, headers={"If-None-Match": tag})
            for client in (reader, reader, editor, uncached)
        ]
        assert {tag_of(answer) for answer in answers} == {newest[address]}, address
        assert {answer.status_code for answer in answers} == {
            304 if tag == newest[address] else 200
        }, address
    unchanged = {address for address, tag in tags.items() if newest[address] == tag}
    assert unchanged == {"/", "/books?limit=2&page=2", "/books?title=nowhere"}


def test_a_private_catalogue_has_etags_and_304s(editor, make_app):
    member = make_app(PUBLIC_READ=False).test_client()
    Auth(member).login("member")
    for address in TAGGED:
        tag = tag_of(member.get(address))
        answer = member.get(address, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (304, "private, no-cache")
        stranger = member.application.test_client().get(address, headers={"If-None-Match": tag})
        assert stranger.status_code == (304 if address == "/" else 401)


def test_the_same_bytes_have_the_same_etag_after_a_restart(reader, make_app):
    before = {
        str(asked): comparable(reader.get(**asked)) for asked in sum(map(in_formats, TAGGED), [])
    }
    again = make_app().test_client(use_cookies=False)
    assert {
        str(asked): comparable(again.get(**asked)) for asked in sum(map(in_formats, TAGGED), [])
    } == before
