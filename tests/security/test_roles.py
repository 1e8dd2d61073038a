"""Access: every route with every method by every role. docs/api.md, Resources."""

import re
from datetime import timedelta
from typing import NamedTuple

import pytest
from sqlalchemy import insert, update

from bookapi.auth import accounts, tokens
from bookapi.auth.models import Event, LoginSession, Token, User
from bookapi.db import now
from bookapi.http.endpoints import Access
from helpers.instance import DATA
from helpers.people import (
    NO_ID,
    add,
    basic,
    bearer,
    change,
    change_account,
    cookie_of,
    id_of,
    make_token,
    rows,
    signed_in,
    stranger,
)

ROUTES = DATA / "routes.txt"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
OTHER_METHODS = ("TRACE", "CONNECT", "PROPFIND", "X")
SAMPLES = {"id": str(NO_ID), "isbn": "9780306406157"}
JUNK = {"data": b"\xff", "content_type": "text/nonsense"}
LOGOUT = "/auth/logout"


class Caller(NamedTuple):
    """Somebody who sends `headers`. `role`: None for whom nobody knows; `by`: what was shown,
    "cookie" or "token".
    """

    headers: dict
    role: str | None = None
    by: str | None = None
    scope: str = "write"
    has_mfa: bool = False


# -- what is expected ------------------------------------------------------------------


def verdict(access, method, caller, settings):
    """What a route with this mark says to a caller: 401, 403, or None: he may."""
    if method == "OPTIONS":
        return None
    if caller.by == "token" and caller.role is None:
        return 401  # a wrong key is reported, even where none is needed
    if access == Access.ANYONE or access == Access.READER and settings.get("PUBLIC_READ", True):
        return None
    if caller.role is None:
        return 401
    return 403 if any(refusals(access, method, caller, settings)) else None


def refusals(access, method, caller, settings):
    """What may be missing of somebody who is known."""
    yield caller.scope == "read" and method not in ("GET", "HEAD")
    yield access in (Access.IN_SESSION, Access.ADMIN_IN_SESSION) and caller.by == "token"
    if access in (Access.ADMIN, Access.ADMIN_IN_SESSION):
        yield caller.role != "admin"
        yield settings.get("ADMIN_MFA", False) and not caller.has_mfa


# -- everybody -------------------------------------------------------------------------


def everybody(app):
    """Callers by what they are called: those who may something, and those who may no more."""
    return {"nobody": Caller({}), **known(app), **outdated_sessions(app), **outdated_tokens(app)}


def known(app):
    for name in ("keyed", "keyed member"):
        add(app, name.replace(" ", "-"), "admin" if name == "keyed" else "member")
    change(
        app,
        lambda session: session.execute(
            update(User).where(User.username.like("keyed%")).values(totp_secret="A" * 32)
        ),
    )
    clients = {name: signed_in(app, name) for name in ("admin", "member")}
    keys = {
        (name, scope): make_token(client, scope)["secret"]
        for name, client in clients.items()
        for scope in ("read", "write")
    }
    keyed = {name: change(app, _key_of, name) for name in ("keyed", "keyed-member")}
    return {
        **{
            f"{name} by session": Caller(cookie_of(client), name, "cookie")
            for name, client in clients.items()
        },
        **{
            f"{name} by a {scope} token": Caller(bearer(secret), name, "token", scope)
            for (name, scope), secret in keys.items()
        },
        "admin by Basic": Caller(basic("admin", keys["admin", "write"]), "admin", "token"),
        "member by Basic": Caller(
            basic("member", keys["member", "read"]), "member", "token", "read"
        ),
        "admin with a factor by a token": Caller(
            bearer(keyed["keyed"]), "admin", "token", has_mfa=True
        ),
        "member with a factor by a token": Caller(
            bearer(keyed["keyed-member"]), "member", "token", has_mfa=True
        ),
        # Whose cookie this is does not matter where a key is shown.
        "member's key, admin's cookie": Caller(
            cookie_of(clients["admin"]) | bearer(keys["member", "write"]), "member", "token"
        ),
    }


def _key_of(connection, username):
    """A token for an account that needs a code to sign in."""
    secret = tokens.PREFIX + username.replace("-", "0").ljust(tokens.LENGTH, "0")
    row = {"user_id": accounts.existing(connection, username).id, "name": "a", "scope": "write"}
    connection.execute(insert(Token).values(secret_hash=tokens.hash_of(secret), **row))
    return secret


def outdated_sessions(app):
    """Cookies that were good once."""
    for name in ("disabled", "demoted", "deleted", "idle", "leaving"):
        add(app, name, "admin")
    cookies = {
        name: cookie_of(signed_in(app, name)) for name in ("disabled", "demoted", "deleted", "idle")
    }
    leaving = signed_in(app, "leaving")
    cookies["leaving"] = cookie_of(leaving)
    leaving.post(LOGOUT)
    for name, values in (("disabled", {"active": False}), ("demoted", {"role": "member"})):
        change_account(app, name, values)
    change(app, accounts.remove, id_of(app, "deleted"))
    change(
        app,
        lambda session: session.execute(
            update(LoginSession)
            .where(LoginSession.user_id == id_of(app, "idle"))
            .values(last_seen_at=now() - timedelta(hours=1))
        ),
    )
    return {f"session of {name}": Caller(headers, by="cookie") for name, headers in cookies.items()}


def outdated_tokens(app):
    """Tokens that were good once, or never."""
    client, secrets = signed_in(app), {}
    for name in ("expired", "revoked", "of a disabled account", "of a deleted account"):
        add(app, f"owner-{len(secrets)}", "admin")
        secrets[name] = make_token(signed_in(app, f"owner-{len(secrets)}"))
    change(
        app,
        lambda session: session.execute(
            update(Token).where(Token.id == secrets["expired"]["id"]).values(expires_at=now())
        ),
    )
    change_account(app, "owner-2", {"active": False})
    change(app, accounts.remove, id_of(app, "owner-3"))
    owner = signed_in(app, "owner-1")
    assert owner.delete(f"/auth/tokens/{secrets['revoked']['id']}").status_code == 204
    sent = {name: bearer(token["secret"]) for name, token in secrets.items()}
    sent["revoked, admin's cookie"] = cookie_of(client) | sent["revoked"]
    return {f"token {name}": Caller(headers, by="token") for name, headers in sent.items()}


# -- every route -----------------------------------------------------------------------


def doors(app):
    """(address, method, mark of its view) of every route, signing out at the end."""
    found = [
        (
            re.sub(r"<(\w+):\w+>", lambda kind: SAMPLES[kind[1]], rule.rule),
            method,
            app.view_functions[rule.endpoint].declaration.access,
        )
        for rule in app.url_map.iter_rules()
        if not app.view_functions[rule.endpoint].declaration.page_only  # tests/http/pages
        for method in rule.methods
    ]
    return sorted(set(found), key=lambda door: (door[0] == LOGOUT, door))


def ask(client, address, method, caller):
    return client.open(address, method=method, headers=caller.headers, **JUNK)


def counts(app):
    return {model.__name__: len(rows(app, model)) for model in (User, Token)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{}, {"PUBLIC_READ": False}, {"ADMIN_MFA": True}],
    ids=lambda settings: ",".join(settings) or "as it is",
)
def test_every_route_enforces_its_declared_access_for_every_role(make_app, settings):
    app = make_app(**settings)
    callers, client, wrong = everybody(app), stranger(app), {}
    before = counts(app)
    for name, caller in callers.items():
        for address, method, access in doors(app):
            expected = verdict(access, method, caller, settings)
            status = ask(client, address, method, caller).status_code
            if status >= 500 or (status if status in (401, 403) else None) != expected:
                wrong[name, method, address] = (access, status, expected)
    assert wrong == {}
    assert counts(app) == before


def test_a_401_has_www_authenticate_and_changes_nothing(make_app):
    app = make_app(PUBLIC_READ=False)
    before = len(rows(app, Event))
    asked = [
        (address, method)
        for address, method, access in doors(app)
        if access != Access.ANYONE and method != "OPTIONS"
    ]
    answers = [ask(stranger(app), address, method, Caller({})) for address, method in asked]
    assert len(asked) > 40 and {answer.status_code for answer in answers} == {401}
    assert all(answer.headers["WWW-Authenticate"] for answer in answers)
    assert {answer.mimetype for answer in answers} == {"application/problem+json"}
    assert len(rows(app, Event)) == before


@pytest.mark.slow
@pytest.mark.parametrize("who", ["nobody", "admin by session", "token expired"])
def test_any_other_method_is_a_405_with_allow_for_every_role(app, who):
    client, caller, known_at = stranger(app), everybody(app)[who], {}
    for address, method, _ in doors(app):
        known_at.setdefault(address, set()).add(method)
    wrong = {}
    for address, methods in known_at.items():
        for method in {*METHODS, *OTHER_METHODS} - methods:
            answer = ask(client, address, method, caller)
            allowed = set(answer.headers.get("Allow", "").split(", "))
            if (answer.status_code, allowed) != (405, methods):
                wrong[method, address] = (answer.status_code, allowed ^ methods)
    assert wrong == {}


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_method_override_headers_are_ignored(app, header):
    answers = [
        stranger(app).open(address, method=method, headers={header: other})
        for address, method, other in (
            (f"/books/{NO_ID}", "GET", "DELETE"),
            ("/auth/login?_method=GET", "POST", "GET"),
            ("/books?_method=POST", "GET", "POST"),
        )
    ]
    assert [answer.status_code for answer in answers] == [404, 415, 400]


@pytest.mark.slow
def test_unknown_paths_are_a_404_for_every_role(app):
    client, addresses = (
        stranger(app),
        (
            "/auth",
            "/auth/",
            "/auth/users/0",
            "/auth/users/-1",
            "/admin",
            "/auth/users//",
            "/auth/users/01",
            f"/auth/users/{NO_ID + 1}",
            "//auth/users",
            "/AUTH/users",
            "/auth/users/1/password",
            "/auth/tokens/x",
        ),
    )
    for name, caller in everybody(app).items():
        for address in addresses:
            assert ask(client, address, "GET", caller).status_code == 404, (name, address)


def test_only_admins_see_the_trash(app):
    callers, expected = (
        everybody(app),
        {
            "nobody": 401,
            "member by session": 403,
            "member by a write token": 403,
            "admin by session": 200,
            "admin by a read token": 200,
            "session of demoted": 401,
            "token revoked": 401,
        },
    )
    assert {
        who: stranger(app).get("/books?state=deleted", headers=callers[who].headers).status_code
        for who in expected
    } == expected


def test_the_routes_command_lists_every_route_with_its_access(runner):
    """Whoever adds a route, or changes who may, says so here: bookapi routes >
    tests/data/routes.txt.
    """
    reported = runner.invoke(args=["routes"])
    assert reported.exit_code == 0
    assert reported.output == ROUTES.read_text("utf-8")
