"""Many books in one POST /books: all or none. docs/api.md, Changing books."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.books import store
from helpers.books import (
    EMPTY,
    FULL,
    INVALID,
    ISBN,
    OTHER,
    SET,
    TEN,
    differences,
    history,
    own,
    rows,
    seq,
    steps,
)
from helpers.documents import TYPES, both, faults, read, send, write
from helpers.instance import Auth
from helpers.support import crash


def post(client, name, books, **more):
    """The answer to a list of books, sent and asked for in a format."""
    return send(client, "POST", "/books", name, {"books": books}, "catalogue", **more)


def raw(client, name, body):
    return client.post(
        "/books", data=body, content_type=TYPES[name], headers={"Accept": TYPES[name]}
    )


def errors(answer):
    """(pointer, field) of each error, with one detail each."""
    reported = read(answer)["errors"]
    assert all(error["detail"] for error in reported)
    return [(error.get("pointer"), error.get("field")) for error in reported]


# -- adding ----------------------------------------------------------------------------


@both
def test_books_of_a_list_are_created_in_order(admin, name):
    answer = post(admin, name, [{"title": "b"}, FULL, {"title": "a", "authors": []}])
    assert (answer.status_code, answer.mimetype) == (201, TYPES[name])
    assert "Location" not in answer.headers
    books = read(answer)["books"]
    assert books == [read(admin.get(f"/books/{number}?format={name}")) for number in (1, 2, 3)]
    assert [own(admin.get(f"/books/{number}").json) for number in (1, 2, 3)] == [
        {**EMPTY, "title": "b"},
        FULL,
        {**EMPTY, "title": "a"},
    ]


def test_the_xml_response_is_a_catalogue(admin):
    reported = post(admin, "xml", [{"title": "a"}, {"title": "b"}]).get_data(as_text=True)
    assert "<catalogue><books><book><id>1</id><title>a</title>" in reported and reported.endswith(
        "</catalogue>"
    )
    assert reported.count("<book>") == 2


@pytest.mark.parametrize("sent, asked", [("json", "xml"), ("xml", "json")])
def test_a_list_may_be_sent_in_one_format_and_returned_in_another(admin, sent, asked):
    answer = admin.post(
        "/books",
        data=write(sent, {"books": [{"title": "a"}, FULL]}, "catalogue"),
        content_type=TYPES[sent],
        headers={"Accept": TYPES[asked]},
    )
    assert (answer.status_code, answer.mimetype) == (201, TYPES[asked])
    assert [int(book["id"]) for book in read(answer)["books"]] == [1, 2]


@both
@pytest.mark.parametrize("number, status", [(1, 201), (1000, 201), (1001, 422), (0, 422)])
def test_a_list_has_1_to_1000_books(app, admin, name, number, status):
    answer = post(admin, name, [{"title": f"T{index}"} for index in range(number)])
    stored = number if status == 201 else 0
    assert answer.status_code == status
    assert (admin.get("/books").json["total"], seq(app)) == (stored, stored)


@both
def test_each_book_of_a_list_has_a_version_a_history_and_a_feed_entry(app, admin, name):
    post(admin, name, [FULL, {"title": "b"}])
    assert steps(admin) == [(1, "created", 1, 1), (2, "created", 2, 1)] and seq(app) == 2
    reported = [
        [
            (entry["seq"], entry["version"], entry["username"], differences(entry))
            for entry in history(admin, number)
        ]
        for number in (1, 2)
    ]
    assert reported == [[(1, 1, "admin", SET)], [(2, 1, "admin", {"title": (None, "b")})]]


def test_books_of_a_list_are_found_like_any_other(admin):
    post(
        admin,
        "json",
        [FULL, {"title": "Emma", "authors": ["Jane Austen"], "language": "en"}, {"title": "Other"}],
    )
    reported = {
        query: admin.get(f"/books?{query}").json["total"]
        for query in (
            "",
            "q=austen",
            "q=other",
            "author=jane+austen",
            "language=en",
            f"isbn={OTHER}",
            "identifier=goodreads:6969",
        )
    }
    assert list(reported.values()) == [3, 2, 2, 2, 2, 1, 1]
    assert [tuple(term.values()) for term in admin.get("/books/authors").json["terms"]] == [
        ("An Other", 1),
        ("Jane Austen", 2),
    ]


def test_a_list_may_be_as_large_as_the_body_limit(admin):
    books = [{"title": f"T{number}", "description": "d" * 900} for number in range(1000)]
    assert post(admin, "json", books).status_code == 201
    answer = post(admin, "json", [{**book, "description": "d" * 1200} for book in books])
    assert (answer.status_code, admin.get("/books").json["total"]) == (413, 1000)


@both
def test_the_isbn_of_a_book_in_the_trash_is_free(admin, name):
    admin.post("/books", json=FULL)
    admin.delete("/books/1")
    assert post(admin, name, [{"title": "a"}, {"title": "b", "isbn": TEN}]).status_code == 201
    assert admin.get(f"/books/isbn/{ISBN}").json["id"] == 3


# -- what is not valid -----------------------------------------------------------------


@both
def test_an_invalid_book_is_rejected_in_a_list_as_alone(app, admin, name):
    before = rows(app)
    reported = [post(admin, name, [{"title": "right"}, sent]) for sent, _ in INVALID]
    assert [answer.status_code for answer in reported] == [422] * len(INVALID)
    assert [sorted(faults(answer)) for answer in reported] == [
        sorted(fields) for _, fields in INVALID
    ]
    assert [
        sorted({pointer.split("/")[2:4][1] for pointer, _ in errors(answer)}) for answer in reported
    ] == [sorted(fields) for _, fields in INVALID]
    assert {pointer.split("/")[1:3][1] for answer in reported for pointer, _ in errors(answer)} == {
        "1"
    }
    assert rows(app) == before


POINTED = [  # books, and the errors: pointer and field
    ([{}], [("/books/0/title", "title")]),
    ([{"title": "a"}, {"title": "b"}, {"title": " "}], [("/books/2/title", "title")]),
    (
        [{"title": "a", "pages": 0, "isbn": "1"}, {"title": "b"}, {"pages": "x"}],
        [
            ("/books/0/isbn", "isbn"),
            ("/books/0/pages", "pages"),
            ("/books/2/pages", "pages"),
            ("/books/2/title", "title"),
        ],
    ),
    ([{"title": "a", "authors": ["x", "", "y"]}], [("/books/0/authors/1", "authors")]),
    (
        [
            {"title": "a"},
            {
                "title": "a",
                "identifiers": [{"scheme": "a", "value": "1"}, {"scheme": "A", "value": "1"}],
            },
        ],
        [("/books/1/identifiers/1/scheme", "identifiers")],
    ),
    (
        [{"title": "a", "nonsense": "b"}, {"title": "a", "id": 5}],
        [("/books/0/nonsense", "nonsense"), ("/books/1/id", "id")],
    ),
]


@both
def test_every_error_of_every_book_is_reported_with_its_pointer(app, admin, name):
    answers = [post(admin, name, books) for books, _ in POINTED]
    reported = [(answer.status_code, sorted(errors(answer))) for answer in answers]
    assert reported == [(422, wanted) for _, wanted in POINTED]
    assert seq(app) == 0


def test_a_pointer_is_a_json_pointer(admin):
    answer = post(admin, "json", [{"title": "a", "a/b": 1, "c~d": 2, "": 3}])
    assert answer.status_code == 422
    assert {pointer for pointer, _ in errors(answer)} == {
        "/books/0/a~1b",
        "/books/0/c~0d",
        "/books/0/",
    }


@both
def test_at_most_100_errors_of_a_list_are_reported(app, admin, name):
    answer = post(admin, name, [{"title": "", "pages": 0}] * 500)
    assert (answer.status_code, len(errors(answer)), seq(app)) == (422, 100, 0)
    assert sorted(pointer for pointer, _ in errors(answer)[:2]) == [
        "/books/0/pages",
        "/books/0/title",
    ]


SHAPES = [  # in JSON and XML, and a pointer or field that is reported, where there can be one
    ({"books": []}, b"<catalogue><books/></catalogue>", "books"),
    ({"books": None}, b"<catalogue><books></books></catalogue>", "books"),
    (
        {"books": [{"title": "a"}], "total": 1},
        b"<catalogue><books><book><title>a</title></book></books><total>1</total></catalogue>",
        "total",
    ),
    (
        {"books": [{"title": "a"}], "title": "b"},
        b"<catalogue><books><book><title>a</title></book></books><title>b</title></catalogue>",
        "title",
    ),
    ({"books": [None]}, b"<catalogue><books><book/></books></catalogue>", "/books/0"),
    (
        {"books": [{"title": "a"}, "b"]},
        b"<catalogue><books><book><title>a</title></book><book>b</book></books></catalogue>",
        "/books/1",
    ),
    (
        {"books": [{"title": "a"}, []]},
        b"<catalogue><books><book><title>a</title></book><title>b</title></books></catalogue>",
        None,
    ),
    ({"books": {"title": "a"}}, b"<catalogue><books><title>a</title></books></catalogue>", "books"),
    ({"books": "a"}, b"<catalogue><books>a</books></catalogue>", "books"),
    (
        {"books": 1},
        b"<catalogue><books><book><title>a</title></book>b</books></catalogue>",
        "books",
    ),
    (
        {"books": [{"books": [{"title": "a"}]}]},
        b"<catalogue><books><book><books><book><title>a</title></book></books></book></books></catalogue>",
        "/books/0",
    ),
    (
        {"Books": [{"title": "a"}]},
        b"<catalogue><Books><book><title>a</title></book></Books></catalogue>",
        None,
    ),
    ({"book": {"title": "a"}}, b"<catalogue><book><title>a</title></book></catalogue>", None),
    ({}, b"<catalogue/>", None),
    ([], b"<catalogue></catalogue>", None),
    ([{"title": "a"}], b"<books><book><title>a</title></book></books>", None),
    ({"catalogue": {"books": [{"title": "a"}]}}, b"<catalogue><catalogue/></catalogue>", None),
    (
        {"books": [[{"title": "a"}]]},
        b"<catalogue><books><book title='a'/></books></catalogue>",
        None,
    ),
    (
        {"books": [{"title": "a"}, {"title": {"title": "a"}}]},
        b"<catalogue><books><book><title>a</title></book></books><books><book><title>b</title></book></books></catalogue>",
        None,
    ),
    (
        {"books": [{"title": "a"}, {"title": ["a"]}]},
        b"<catalogue xmlns='urn:x'><books><book><title>a</title></book></books></catalogue>",
        None,
    ),
    (
        {"books": True},
        b"<catalogue a='1'><books><book><title>a</title></book></books></catalogue>",
        None,
    ),
    (
        {"books": 1.5},
        b"<catalogue>mixed<books><book><title>a</title></book></books></catalogue>",
        None,
    ),
    ({"title": "b", "books": []}, b"<book><title>b</title><books/></book>", None),
    (
        {"title": "b", "books": [{"title": "a"}]},
        b"<book><title>b</title><books><book><title>a</title></book></books></book>",
        None,
    ),
]


def test_a_body_that_is_not_a_list_of_books_is_a_422(app, admin):
    for document, xml, reported in SHAPES:
        for name, body in (("json", write("json", document)), ("xml", xml)):
            answer = raw(admin, name, body)
            assert (answer.status_code, answer.mimetype) == (422, f"application/problem+{name}"), (
                body
            )
            places = [
                error.get(part, "").strip("/")
                for error in read(answer)["errors"]
                for part in ("field", "pointer")
            ]
            assert places, body
            assert not reported or any(
                f"{place}/".startswith(reported.strip("/") + "/") for place in places
            ), (body, places)
    assert seq(app) == 0


MALFORMED = [
    ("json", b'{"books": [{"title": "a"}, {"title": "b"]}'),
    ("json", b'{"books": [{"title": "a", "title": "b"}]}'),
    ("json", b'{"books": [{"title": "a"}], "books": []}'),
    ("json", b'{"books": [{"pages": NaN}]}'),
    ("json", b'\xef\xbb\xbf{"books": []}'),
    ("json", b'{"books": ' + b"[" * 40 + b"]" * 40 + b"}"),
    ("json", b""),
    ("xml", b"<catalogue><books><book><title>a</title></book></catalogue>"),
    (
        "xml",
        b"<!DOCTYPE catalogue><catalogue><books><book><title>a</title></book></books></catalogue>",
    ),
    ("xml", b"<catalogue><books>" + b"<book>" * 40 + b"</book>" * 40 + b"</books></catalogue>"),
    ("xml", b""),
]


def test_a_malformed_list_is_a_400(app, admin):
    assert [raw(admin, name, body).status_code for name, body in MALFORMED] == [400] * len(
        MALFORMED
    )
    assert seq(app) == 0


@both
def test_a_list_is_accepted_by_post_only(app, admin, name):
    admin.post("/books", json={"title": "a"})
    for method, address in (
        ("PUT", "/books/1"),
        ("PATCH", "/books/1"),
        ("PUT", f"/books/isbn/{ISBN}"),
    ):
        reported = [
            send(admin, method, address, name, {"books": [{"title": "b"}]}, root).status_code
            for root in ("catalogue", "book")
        ]
        assert reported == [422, 422], (method, address)
    assert seq(app) == 1


# -- what is there already -------------------------------------------------------------

TAKEN = [  # books, the places of those that cannot be, and whether the other one is a stored book
    ([{"title": "a", "isbn": ISBN}], {0}, True),
    ([{"title": "a"}, {"title": "b", "isbn": TEN}], {1}, True),
    ([{"title": "a", "isbn": OTHER}, {"title": "b", "isbn": "978-0-14-143958-7"}], {1}, False),
    (
        [
            {"title": "a", "isbn": OTHER},
            {"title": "b"},
            {"title": "c", "isbn": "0141439580"},
            {"title": "d", "isbn": OTHER},
        ],
        {2, 3},
        False,
    ),
    (
        [
            {"title": "a", "isbn": OTHER},
            {"title": "b", "isbn": OTHER},
            {"title": "c", "isbn": ISBN},
        ],
        {1, 2},
        True,
    ),
]


@both
def test_a_duplicate_isbn_in_a_list_is_a_409_that_names_the_book(app, admin, name):
    admin.post("/books", json={"title": "Emma", "isbn": ISBN})
    before = rows(app)
    for books, places, is_stored in TAKEN:
        answer = post(admin, name, books)
        assert answer.status_code == 409
        assert set(errors(answer)) == {(f"/books/{place}/isbn", "isbn") for place in places}
        assert read(answer).get("existing") == ("http://localhost/books/1" if is_stored else None)
    assert rows(app) == before and len(steps(admin)) == 1


@both
def test_validation_errors_come_before_conflicts(admin, name):
    admin.post("/books", json=FULL)
    answer = post(admin, name, [{"title": "a", "isbn": ISBN}, {"title": "b", "pages": 0}])
    assert (answer.status_code, errors(answer)) == (422, [("/books/1/pages", "pages")])


# -- refusals, failures, others at the same time ---------------------------------------


def test_checks_run_in_the_documented_order(make_app):
    app = make_app(MAX_BODY_BYTES=2048)
    clients = {None: app.test_client(), "member": app.test_client(), "admin": app.test_client()}
    for who in ("member", "admin"):
        Auth(clients[who]).login(who)
    clients["admin"].post("/books", json=FULL)
    large, taken = (
        b'{"books": [' + b"x" * 4096,
        b'{"books": [{"title": "a", "isbn": "0306406152"}]}',
    )
    wrong = taken[:-2] + b", {}]}"
    chain = [
        (406, "/books?format=csv", None, large, "text/plain"),
        (401, "/books", None, large, "text/plain"),
        (403, "/books", "member", large, "text/plain"),
        (415, "/books", "admin", large, "text/plain"),
        (415, "/books", "admin", large, "text/csv"),
        (413, "/books", "admin", large, TYPES["json"]),
        (400, "/books", "admin", wrong[:-2], TYPES["json"]),
        (422, "/books", "admin", wrong, TYPES["json"]),
        (409, "/books", "admin", taken, TYPES["json"]),
    ]
    reported = [
        clients[who].post(address, data=body, content_type=kind)
        for _, address, who, body, kind in chain
    ]
    assert [answer.status_code for answer in reported] == [status for status, *_ in chain]


@both
@pytest.mark.parametrize("part", ["_new_state", "columns_of"])
def test_a_crash_during_a_list_stores_no_book(app, admin, monkeypatch, name, part):
    post(admin, name, [{"title": "before"}])
    before = rows(app)
    with monkeypatch.context() as patch:
        patch.setattr(store, part, crash)
        assert (
            post(admin, name, [{"title": "a", "authors": ["x"]}, {"title": "b"}]).status_code == 500
        )
    assert rows(app) == before and len(steps(admin)) == 1
    assert [book["id"] for book in read(post(admin, "json", [{"title": "a"}]))["books"]] == [2]


def test_concurrent_lists_with_a_common_isbn_are_stored_whole_or_not_at_all(app, admin):
    cookie = f"bookapi={admin.get_cookie('bookapi').value}"

    def add(number):
        books = (
            [{"title": f"{number}"}] * 5
            + [{"title": f"{number}", "isbn": ISBN}]
            + [{"title": f"{number}"}] * 5
        )
        return app.test_client(use_cookies=False).post(
            "/books", json={"books": books}, headers={"Cookie": cookie}
        )

    with ThreadPoolExecutor(5) as pool:
        reported = list(pool.map(add, range(5)))
    assert sorted(answer.status_code for answer in reported) == [201] + [409] * 4
    books = admin.get("/books?limit=100").json["books"]
    assert len(books) == 11 and len({book["title"] for book in books}) == 1
    assert {answer.json["existing"] for answer in reported if answer.status_code == 409} == {
        "http://localhost/books/6"
    }
    assert seq(app) == 11


@pytest.mark.parametrize("limit", [1, 10**6])
def test_books_are_found_whichever_statement_stored_their_words(admin, monkeypatch, limit):
    monkeypatch.setattr(store, "MAX_STATEMENT", limit)
    post(admin, "json", [{"title": f"Unique{number} shared"} for number in range(250)])
    reported = [
        admin.get(f"/books?q={word}").json["total"] for word in ("shared", "unique7", "unique249")
    ]
    assert reported == [250, 1, 1]
