"""What templates know beside the data of their page."""

import functools
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import langcodes
import segno
from flask import Flask, current_app, request
from flask_babel import format_datetime, gettext
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from ..auth.models import ADMIN
from ..books.fields.dates import format_year
from ..books.schemas import WRITABLE
from ..formats import Invalid, Malformed
from ..formats.html import CONTROL_FIELDS, TYPED
from ..http.languages import LANGUAGES
from ..http.pages import page_language, sent_form, typed_fields
from ..http.request import current_request
from ..http.routing import base_url
from ..http.security import is_trusted
from . import assets
from .forms import account, csrf_token

_NUMBER = re.compile("[0-9]+")
SECRETS = ("password", "current_password", "new_password", "code")
Record = dict[str, Any]


def path(address: str) -> str:
    """An address below the root of the service, for links in a page."""
    return quote(request.root_path) + address


def here(**changes: Any) -> str:
    """The address of this page with other parameters, from its first page on."""
    given = {
        name: values
        for name, values in request.args.lists()
        if name not in ("page", "cursor", "format")
    }
    for name, value in changes.items():
        given[name] = value if isinstance(value, list) else [value]
    query = urlencode([(name, value) for name, values in given.items() for value in values])
    return path(quote(request.path)) + (f"?{query}" if query else "")


def without(name: str, value: str) -> list[str]:
    """The values of a parameter but for one."""
    return [other for other in request.args.getlist(name) if other != value]


def export_address(name: str) -> str:
    """The address of all books of this list in a format."""
    given = [
        (key, value)
        for key, value in request.args.items(multi=True)
        if value and key not in ("page", "limit", "cursor", "format", "facets")
    ]
    return path("/books/export?" + urlencode([*given, ("format", name)]))


# Each is translated where it is shown: a page has few of them.
LABELS: dict[str, Callable[[], str]] = {
    "id": lambda: "Id",
    "title": lambda: gettext("Title"),
    "subtitle": lambda: gettext("Subtitle"),
    "authors": lambda: gettext("Authors (one per line)"),
    "isbn": lambda: "ISBN",
    "publisher": lambda: gettext("Publisher"),
    "published": lambda: gettext("Published"),
    "language": lambda: gettext("Language"),
    "series": lambda: gettext("Series"),
    "series_number": lambda: gettext("Number in the series"),
    "edition": lambda: gettext("Edition"),
    "pages": lambda: gettext("Pages"),
    "description": lambda: gettext("Description"),
    "subjects": lambda: gettext("Subjects (one per line)"),
    "identifiers": lambda: gettext("Identifiers (scheme:value, one per line)"),
    "cover_url": lambda: gettext("Cover (web address)"),
    "location": lambda: gettext("Location"),
    "call_number": lambda: gettext("Call number"),
    "copies": lambda: gettext("Copies"),
    "version": lambda: gettext("Version"),
    "username": lambda: gettext("Username"),
    "password": lambda: gettext("Password"),
    "code": lambda: gettext("Code of the second factor"),
    "current_password": lambda: gettext("Current password"),
    "new_password": lambda: gettext("New password"),
    "name": lambda: gettext("Name"),
    "scope": lambda: gettext("May"),
    "expires_at": lambda: gettext("Valid until"),
    "role": lambda: gettext("Role"),
    "active": lambda: gettext("Active"),
    "file": lambda: gettext("File"),
    "author": lambda: gettext("Author"),
    "subject": lambda: gettext("Subject"),
    "decade": lambda: gettext("Decade"),
    "created_at": lambda: gettext("Added"),
    "updated_at": lambda: gettext("Changed"),
}


def label(name: str) -> str:
    """What a field is called in forms."""
    return LABELS[name]() if name in LABELS else name


def filter_name(name: str) -> str:
    """What a filter of the address is called on the page."""
    names: dict[str, Callable[[], str]] = {
        "published_from": lambda: gettext("from"),
        "published_to": lambda: gettext("until"),
        "updated_since": lambda: gettext("Changed since"),
    }
    return names[name]() if name in names else label(name)


def data_address(name: str) -> str:
    """The address of the data of this page in another format."""
    query = urlencode([*((k, v) for k, v in request.args.items(True) if v and k != "format")])
    return path(quote(request.path)) + "?" + (f"{query}&" if query else "") + f"format={name}"


def typed(name: str, record: Record | None = None) -> str:
    """The text of a field of a form: what was typed, else that of the record."""
    fields = safe_typed()
    if fields:
        return fields.get(name, "")
    return stored_text(name, record or {})


def stored_text(name: str, record: Record) -> str:
    """A field of a record as its form shows it."""
    value = record.get(name)
    if isinstance(value, list):
        return "\n".join(
            f"{item['scheme']}:{item['value']}" if isinstance(item, dict) else item
            for item in value
        )
    return "" if value is None else str(value)


def safe_typed() -> dict[str, str]:
    """What was typed into the form of this request, or into the one that the sign-in kept; secrets
    are not shown again.
    """
    if (resumed := current_request().resumed) is not None:
        return dict(resumed)
    if sent_form(current_request()) is None:
        return {}
    try:
        fields = typed_fields()
    except (Invalid, Malformed, HTTPException):
        return {}
    return {name: text for name, text in fields.items() if name not in SECRETS}


def kept_fields() -> dict[str, str]:
    """The hidden fields by which the sign-in keeps the form of a book that was sent too late."""
    form, fields = sent_form(current_request()), safe_typed()
    if form is not None and form.page == "book_form":
        kept = {
            f"{TYPED}{name}": text for name, text in fields.items() if name not in CONTROL_FIELDS
        }
        return {**kept, "action": request.path}
    return {k: v for k, v in fields.items() if k.startswith(TYPED) or k == "action"}


def new_key() -> str:
    """A fresh Idempotency-Key for a form."""
    return secrets.token_urlsafe(16)


def translated_problem(text: str) -> str:
    """A text of a problem in the language of the page, if it is translated there, with `{}` for
    each number."""
    pattern = _NUMBER.sub("{}", text)
    known = gettext(pattern) if pattern else pattern
    return text if known == pattern else known.format(*_NUMBER.findall(text))


def faults(problem: Record | None) -> dict[str, list[str]]:
    """The messages of a problem by field."""
    found: dict[str, list[str]] = {}
    for error in (problem or {}).get("errors") or ():
        place = error.get("field") or error.get("parameter") or error.get("pointer") or ""
        steps = (error.get("pointer") or "").split("/")[2:]
        item = f"{int(steps[0]) + 1}: " if steps and steps[0].isdecimal() else ""
        found.setdefault(place, []).append(item + translated_problem(error["detail"]))
    return found


# -- how values are shown --


@functools.lru_cache(maxsize=1024)
def _language_name(tag: str, shown_in: str) -> str:
    try:
        return str(langcodes.Language.get(tag).display_name(shown_in))
    except ValueError:
        return tag


def language_name(tag: str) -> str:
    """The name of a language in the language of the page."""
    return _language_name(tag, page_language())


def when(instant: str) -> Markup:
    """An instant as people write it, in UTC."""
    shown = format_datetime(datetime.fromisoformat(instant), "medium")
    return Markup('<time datetime="{}">{} UTC</time>').format(instant, shown)


def cover_of(book: Record) -> str | None:
    """The address of a book's cover, if the setting COVERS has its host."""
    address, hosts = book.get("cover_url"), current_app.config["COVERS"]
    if not address or not hosts:
        return None
    try:
        name = (urlsplit(address).hostname or "").lower()
    except ValueError:
        return None
    return address if is_trusted(name, hosts) else None


def json_ld(book: Record) -> Record:
    """A book in the words of schema.org (https://schema.org/Book)."""
    others = [f"urn:{item['scheme']}:{item['value']}" for item in book["identifiers"]]
    found = {
        "@context": "https://schema.org",
        "@type": "Book",
        "@id": f"{base_url('/books')}/{book['id']}",
        "name": book["title"],
        "alternativeHeadline": book["subtitle"],
        "author": [{"@type": "Person", "name": name} for name in book["authors"]],
        "isbn": book["isbn"],
        "publisher": book["publisher"] and {"@type": "Organization", "name": book["publisher"]},
        "datePublished": book["published"],
        "inLanguage": book["language"],
        "bookEdition": book["edition"],
        "numberOfPages": book["pages"],
        "description": book["description"],
        "keywords": book["subjects"],
        "identifier": others,
    }
    return {name: value for name, value in found.items() if value}


def decades(counts: list[Record]) -> list[Record]:
    """The bars of the chart of decades, oldest first: year, count, height in percent."""
    most = max((entry["count"] for entry in counts), default=1)
    bars = [
        {
            "year": int(entry["value"]),
            "count": entry["count"],
            "height": max(2, round(100 * entry["count"] / most)),
        }
        for entry in counts
    ]
    return sorted(bars, key=lambda bar: bar["year"])


def qr_code(text: str) -> Markup:
    """A text as an SVG picture for cameras."""
    return Markup(segno.make_qr(text).svg_inline(omitsize=True, light="#fff"))  # noqa: S704


FUNCTIONS = (
    path, here, data_address, typed, kept_fields, new_key, faults, language_name, when, cover_of,
    json_ld, decades, without, stored_text, export_address, filter_name, label, format_year,
    csrf_token, account, qr_code, translated_problem,
)  # fmt: skip


def init_app(app: Flask) -> None:
    """Give templates these functions."""
    app.jinja_env.globals.update(
        {function.__name__: function for function in FUNCTIONS},
        asset=lambda name: path(assets.path_of(name)),
        ADMIN=ADMIN,
        FORM_FIELDS=WRITABLE,
        LANGUAGES=LANGUAGES,
        page_language=page_language,
    )
