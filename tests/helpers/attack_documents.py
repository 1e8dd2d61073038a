"""Valid documents for each root element, and the names of their fields."""

import itertools

from bookapi.books.schemas import FIELDS

_NUMBERS = itertools.count(1)
DEPTHS = (33, 1000, 100_000)
MANY = 20_000


def valid(root, password="a long enough password"):
    """A document that is valid for a route with this root element, for several routes in turn. An
    unknown root gets some field of each kind.
    """
    number = next(_NUMBERS)
    known = {
        "login": [{"username": f"nobody {number}", "password": password}],
        "password": [{"current_password": password, "new_password": f"another password {number}"}],
        "user": [
            {"username": f"somebody {number}", "password": password, "role": "member"},
            {"role": "member", "active": True, "password": f"another password {number}"},
        ],
        "token": [{"name": f"a token {number}", "scope": "read"}],
        "mfa": [
            {"current_password": password, "code": "123456"},
            {"current_password": password},
            {"code": "123456"},
        ],
        "book": [
            {
                "title": "Emma",
                "authors": ["Jane Austen"],
                "published": "1815",
                "language": "en",
                "pages": 671,
                "identifiers": [{"scheme": "x", "value": "1"}],
            }
        ],
        "catalogue": [
            {"books": [{"title": "Emma"}, {"title": "Persuasion", "authors": ["Jane Austen"]}]}
        ],
    }
    documents = known.get(root, [{"name": "a", "code": "123456", "password": password}])
    return documents[number % len(documents)]


def fields_of(root):
    """The names that a document of this root may have, and one that none has."""
    more = {
        "book": FIELDS,
        "user": ("username", "password", "role", "active", "id"),
        "token": ("expires_at", "id", "secret"),
        "mfa": ("current_password", "code"),
        "login": ("code",),
    }
    return list(dict.fromkeys([*valid(root), *more.get(root, ()), "nonsense"]))
