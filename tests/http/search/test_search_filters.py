"""Searches together with filters, and in exports."""

import json

import pytest

from helpers.documents import ids
from helpers.searches import NAMES, RELEVANT

EVERY = ["emma", "emma again", "mine", "emmas", "about", "series"]
COMBINED = {
    "title=emma": ["emma", "mine"],
    "author=jane+austen": ["emma"],
    "author=emma+thompson": ["about"],
    "publisher=murray": ["series"],
    "publisher=MURRAY&publisher=john+murray": ["emma", "series"],
    "subject=fiction": ["emma"],
    "series=emma+and+others": ["series"],
    "isbn=0141439580": ["emma"],
    "isbn=9781402894626": [],
    "language=de": ["emma again"],
    "language=en": ["emma", "emmas", "about"],
    "language=en&language=de": ["emma", "emma again", "emmas", "about"],
    "identifier=lccn:cc": [],
    "published_from=1900": ["emma again", "emmas", "about"],
    "published_to=1900": ["emma"],
    "published_from=1815&published_to=1815": ["emma"],
    "updated_since=2000-01-01T00:00:00Z": EVERY,
    "updated_since=2999-01-01T00:00:00Z": [],
    "title=emma&language=en": ["emma"],
    "fields=title": EVERY,
}


def test_a_search_can_be_combined_with_every_filter(editor):
    answers = {query: editor.get(f"/books?q=emma&{query}") for query in COMBINED}
    assert {
        query: [NAMES[number - 1] for number in ids(answer)] for query, answer in answers.items()
    } == COMBINED
    assert {query: answer.json["total"] for query, answer in answers.items()} == {
        query: len(names) for query, names in COMBINED.items()
    }


@pytest.mark.parametrize(
    "query",
    [
        "title=emma",
        "author=jane+austen",
        "publisher=egerton",
        "subject=fiction",
        "series=emma+and+others",
        "isbn=0141439580",
        "language=en",
        "identifier=lccn:cc",
        "published_from=1813",
        "published_to=1815",
        "updated_since=2000-01-01T00:00:00Z",
    ],
)
def test_exclusions_can_be_combined_with_every_filter(editor, query):
    kept = [
        number
        for number in ids(editor.get(f"/books?limit=100&{query}"))
        if NAMES[number - 1] not in EVERY
    ]
    assert ids(editor.get(f"/books?limit=100&q=-emma&{query}")) == kept
    assert ids(editor.get(f"/books?limit=100&q=!&{query}")) == []


def test_an_export_searches_as_the_list_does(editor):
    for query in (
        "q=emma",
        "q=emma&sort=-title",
        "q=-emma&sort=published",
        "q=jane&author=jane+austen",
        "q=!",
    ):
        assert ids(editor.get(f"/books/export?{query}")) == ids(
            editor.get(f"/books?limit=100&{query}")
        ), query


def test_the_export_command_supports_searches(editor, runner):
    result = runner.invoke(
        args=["books", "export", "-", "--filter", "q=emma -war", "--filter", "sort=id"]
    )
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [
        NAMES.index(name) + 1 for name in sorted(RELEVANT["emma -war"], key=NAMES.index)
    ]
