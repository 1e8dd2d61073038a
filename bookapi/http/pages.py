"""What pages need of HTTP beside their data: forms, redirects, languages, headers. docs/api.md,
HTML.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, current_app
from werkzeug.exceptions import HTTPException

from ..formats.html import TYPED
from ..formats.html import fields as read_fields
from ..schemas import MAX_INTEGER, Integer
from .cache import NO_STORE, CachePolicy
from .endpoints import Form
from .languages import best_language
from .negotiation import chosen_format, wants_page
from .problems import Problem
from .request import Request, current_request
from .results import Result
from .routing import base_url

SIGN_IN = "/auth/login"
MULTIPART = "multipart/form-data"  # of an import's form
_VERSION = Integer(1, MAX_INTEGER)
NEXT = "{next}"  # in `Form.then`: the address that the form names in `next`


def sent_form(request: Request) -> Form | None:
    """The declared form that this request was sent by; None for any other client: where data is
    read too, a form is read only if the answer is a page.
    """
    declared = request.declared if request.method == "POST" else None
    if declared is None or declared.form is None:
        return None
    known = MULTIPART if declared.imports else "application/x-www-form-urlencoded"
    if request.mimetype != known or not (declared.form.only or chosen_format().is_page):
        return None
    return declared.form


def typed_fields() -> dict[str, str]:
    """What was typed into the form that this request was sent by, control fields included; nothing
    where it cannot be read.
    """
    request = current_request()
    if request.typed is None:
        request.typed = {}  # stays so where it cannot be read
        if request.mimetype == MULTIPART:
            request.max_content_length = current_app.config["MAX_IMPORT_BYTES"]
            request.typed = request.form.to_dict()
        else:
            request.typed = read_fields(request.get_data())
    return request.typed


def form_version() -> int | None:
    """The version of a book that the page of a form showed, 428 without one; None for any other
    client."""
    if sent_form(current_request()) is None:
        return None
    version = typed_fields().get("version")
    if not version:
        raise Problem(428, "the form needs the version of the book", type="version-required")
    return _VERSION.deserialize(version)


def redirect(address: str, status: int = 303) -> Response:
    """A redirect to a path of this service, below its root."""
    path, _, rest = address.partition("#")
    path, _, query = path.partition("?")
    location = base_url(path) + (f"?{query}" if query else "") + (f"#{rest}" if rest else "")
    response = Response(status=status, headers={"Location": location})
    del response.headers["Content-Type"]
    return response


def safe_path(address: str) -> str:
    """An address that a client names, if it is a path of this service; else `/`."""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    is_plain = address.isprintable() and "\\" not in address and " " not in address
    return address if is_path and is_plain and len(address) <= 2000 else "/"


def redirect_after(request: Request, returned: Any) -> Response | None:
    """Where a browser goes after its form was done, for what the view returned; None where that is
    shown.
    """
    form = sent_form(request)
    if form is None or form.then is None or isinstance(returned, Response):
        return None
    data = returned.data if isinstance(returned, Result) else returned
    data = data[0] if isinstance(data, tuple) else data
    members = data if isinstance(data, Mapping) else {}
    sent = typed_fields()
    if form.then == NEXT and "action" in sent:  # the sign-in kept a form, which is shown again
        request.signed_in, request.resumed_action = members["user"], safe_path(sent["action"])
        request.resumed = {
            name.removeprefix(TYPED): text for name, text in sent.items() if name.startswith(TYPED)
        }
        return None
    target = safe_path(sent.get("next", "/"))
    return redirect(target if form.then == NEXT else form.then.format_map(members))


def sign_in_redirect(error: HTTPException) -> Response | None:
    """For a page that needs somebody signed in: to the sign-in, and back from there. Only for a
    client that asks for pages.
    """
    request = current_request()
    if error.code != 401 or request.method not in ("GET", "HEAD"):
        return None
    if "Authorization" in request.headers or request.path == SIGN_IN:
        return None
    if not wants_page():
        return None
    query = request.environ.get("QUERY_STRING", "")
    here = quote(request.path) + (f"?{query}" if query else "")
    return redirect(f"{SIGN_IN}?{urlencode({'next': here})}")


def problem_page(error: HTTPException) -> str:
    """The template of a problem: the form that it is about, else a page of its own. A form whose
    session has ended is kept by the sign-in.
    """
    form = sent_form(current_request())
    if form is None:
        return "problem"
    return "login" if error.code == 401 else form.page


# -- languages and headers --


def page_language() -> str:
    """The language of this response's page."""
    return best_language(current_request().headers.get("Accept-Language", ""))


def page_headers() -> dict[str, str]:
    """What every page says of itself."""
    current_request().varies += ("Accept-Language",)
    return {"Content-Language": page_language()}


def page_policy(policy: CachePolicy) -> CachePolicy:
    """Nothing is kept of what a browser with a cookie sees: it names who is signed in."""
    headers = current_request().headers
    is_private = "Cookie" in headers or "Authorization" in headers
    return NO_STORE if is_private else policy
