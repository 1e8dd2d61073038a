"""Lists of the trash, filtered or not. docs/api.md, Filters."""

import pytest

from helpers.documents import ids
from helpers.filters import SHELF
from helpers.instance import Auth

FIRST, SECOND, THIRD = range(len(SHELF) + 1, len(SHELF) + 4)
IN_TRASH = {
    "": [FIRST, SECOND, THIRD],
    "title=the+iliad": [THIRD],
    "title=thrown+away": [FIRST],
    "author=homer": [FIRST],
    "author=soren+aebelo": [],
    "publisher=penguin": [FIRST, THIRD],
    "subject=epic+poetry": [FIRST],
    "series=epics": [FIRST],
    "isbn=9780306406157": [FIRST, SECOND],
    "isbn=0-306-40615-2": [FIRST, SECOND],
    "isbn=9780140275360": [FIRST],
    "isbn=9780141439587": [],
    "language=en": [FIRST],
    "language=grc": [THIRD],
    "identifier=goodreads:6969": [FIRST],
    "published_from=1999": [FIRST, SECOND],
    "published_to=-720": [THIRD],
    "published_from=2000&published_to=2001": [SECOND],
    "updated_since=2000-01-01T00:00:00Z": [FIRST, SECOND, THIRD],
    "updated_since=2999-01-01T00:00:00Z": [],
    "q=homer": [FIRST],
    "q=iliad": [THIRD],
    "q=lodz": [],
    "q=thro*": [FIRST],
    'q="thrown+away"': [FIRST],
    "q=-homer": [SECOND, THIRD],
    "q=0306406152": [FIRST, SECOND],
    "q=iliad&title=the+iliad": [THIRD],
    "q=!": [],
    "q=penguin+-homer": [THIRD],
    "sort=title": [SECOND, THIRD, FIRST],
    "sort=-title": [FIRST, THIRD, SECOND],
    "sort=author": [FIRST, SECOND, THIRD],
    "sort=-author": [SECOND, FIRST, THIRD],
    "sort=published": [THIRD, FIRST, SECOND],
    "sort=-published": [SECOND, FIRST, THIRD],
    "sort=-id": [THIRD, SECOND, FIRST],
    "sort=-updated_at": [THIRD, SECOND, FIRST],
    "sort=created_at": [FIRST, SECOND, THIRD],
    "limit=1&page=2": [SECOND],
    "page=4": [],
    "limit=2&cursor=*": [FIRST, SECOND],
    "q=penguin&sort=-relevance,-id": [THIRD, FIRST],
}


def test_an_admin_sees_the_trash_through_every_filter_and_order(shelf):
    reported = {query: shelf.get(f"/books?state=deleted&{query}") for query in IN_TRASH}
    assert {query: ids(answer) for query, answer in reported.items()} == IN_TRASH
    assert {answer.headers["Cache-Control"] for answer in reported.values()} == {"no-store"}


def test_the_trash_has_totals_and_page_links(shelf):
    first = shelf.get("/books?state=deleted&limit=2&sort=-id")
    assert (first.json["total"], ids(shelf.get(first.json["links"]["next"]))) == (3, [FIRST])
    begun = shelf.get("/books?state=deleted&limit=2&cursor=*&sort=-published")
    assert ids(shelf.get(begun.json["links"]["next"])) == [THIRD]


def test_the_trash_can_be_exported_and_has_facets(shelf):
    assert ids(shelf.get("/books/export?state=deleted&sort=-id")) == [THIRD, SECOND, FIRST]
    assert shelf.get("/books/export?state=deleted").headers["Cache-Control"] == "no-store"
    assert shelf.get("/books?state=deleted&facets=author,publisher").json["facets"] == {
        "author": [{"value": "Homer", "count": 1}, {"value": "Vergil", "count": 1}],
        "publisher": [{"value": "Penguin", "count": 2}],
    }


def test_no_list_of_live_books_shows_the_trash(shelf):
    queries = [
        query for query in IN_TRASH if query and "limit" not in query and "page" not in query
    ]
    shown = {query: ids(shelf.get(f"/books?{query}")) for query in queries}
    assert {
        query: found for query, found in shown.items() if set(found) & {FIRST, SECOND, THIRD}
    } == {}


FOR_ADMINS = (
    "/books?state=deleted",
    "/books/export?state=deleted",
    f"/books/{FIRST}?state=deleted",
    "/books?state=deleted&q=homer",
    "/books?state=deleted&state=x",
    "/books?q=%00&state=deleted",
    "/books?state=deleted&cursor=*",
)


@pytest.mark.parametrize("name", ["json", "xml"])
def test_only_admins_see_the_trash(shelf, app, name):
    headers = {"Accept": f"application/{name}"}
    anonymous, member = app.test_client(), app.test_client()
    Auth(member).login("member")
    refused = [anonymous.get(address, headers=headers) for address in FOR_ADMINS]
    assert {(answer.status_code, "WWW-Authenticate" in answer.headers) for answer in refused} == {
        (401, True)
    }
    assert {member.get(address, headers=headers).status_code for address in FOR_ADMINS} == {403}


def test_an_admin_can_read_one_book_of_the_trash(shelf, app):
    shown = shelf.get(f"/books/{FIRST}?state=deleted")
    assert (shown.status_code, shown.json["title"], shown.json["version"]) == (
        200,
        "Thrown away",
        2,
    )
    assert (shown.headers["Cache-Control"], shelf.get(f"/books/{FIRST}").status_code) == (
        "no-store",
        410,
    )
    assert shelf.get("/books/999?state=deleted").status_code == 404


def test_responses_about_the_trash_are_not_cached_for_others(shelf, app):
    for address in (
        "/books?state=deleted",
        f"/books/{FIRST}?state=deleted",
        "/books/export?state=deleted",
    ):
        assert shelf.get(address).status_code == 200
        assert app.test_client().get(address).status_code == 401


def test_the_state_parameter_shows_live_books_too(shelf, app):
    anonymous = app.test_client()
    assert [anonymous.get("/books/1?state=deleted").status_code for _ in range(2)] == [200, 200]
    shelf.delete("/books/1")
    assert anonymous.get("/books/1?state=deleted").status_code == 401
    assert anonymous.get("/books/1").status_code == 410


def test_a_private_catalogue_has_a_private_trash(make_app):
    app = make_app(PUBLIC_READ=False)
    assert app.test_client().get("/books?state=deleted").status_code == 401
    member = app.test_client()
    Auth(member).login("member")
    assert member.get("/books?state=deleted").status_code == 403
