"""Searches and filters with hostile strings and with real titles."""

import re

import pytest

from bookapi.text import clean, words
from helpers.data import hostile_strings, real_titles
from helpers.documents import ids
from helpers.support import store


@pytest.fixture(scope="module")
def naughty():
    return hostile_strings()


FILTERED = ("title", "author", "publisher", "subject", "series")
OTHERS = (
    "isbn",
    "language",
    "published_from",
    "published_to",
    "updated_since",
    "sort",
    "limit",
    "page",
    "cursor",
    "fields",
    "facets",
    "state",
)


def test_no_naughty_string_breaks_a_search(editor, naughty):
    answers = {text: editor.get("/books", query_string={"q": text}) for text in naughty}
    assert {
        text: answer.status_code
        for text, answer in answers.items()
        if answer.status_code not in (200, 400)
    } == {}
    assert {
        error["parameter"] for answer in answers.values() for error in answer.json.get("errors", [])
    } <= {"q"}


@pytest.mark.slow
def test_no_naughty_string_breaks_a_filter(editor, naughty):
    for text in naughty:
        equal = editor.get("/books", query_string=dict.fromkeys(FILTERED, text))
        assert equal.status_code in (200, 400), text
        others = editor.get(
            "/books", query_string={**dict.fromkeys(OTHERS, text), "identifier": f"lccn:{text}"}
        )
        assert others.status_code in (200, 400, 401, 403), text
        assert {error["parameter"] for error in others.json.get("errors", [])} <= {
            *OTHERS,
            "identifier",
        }


def test_a_stored_book_is_found_by_its_own_text(app, client, naughty):
    stored = [text for text in naughty if words(text) and "\0" not in text and text.isprintable()]
    store(app, *[{"title": text} for text in stored])
    lost = []
    for number, text in enumerate(stored, 1):
        quoted = '"' + text.replace('"', " ") + '"'
        answer = client.get("/books", query_string={"q": quoted, "limit": 100})
        if answer.status_code == 200 and number not in ids(answer):
            lost.append(text)
    assert lost == []


def test_a_real_title_is_found_by_itself(app, client):
    titles = list(filter(None, map(clean, real_titles())))
    titles = [
        title for title in titles if not re.search(r"(?<!\S)-\w", title)
    ]  # which searches without that word
    store(app, *[{"title": title} for title in titles])
    lost = {}
    for number, title in enumerate(titles, 1):
        answer = client.get("/books", query_string={"q": title, "limit": 100})
        too_long = len(words(title)) > 100
        if answer.status_code != (400 if too_long else 200) or (
            not too_long and words(title) and number not in ids(answer)
        ):
            lost[title] = answer.status_code
    assert lost == {}
