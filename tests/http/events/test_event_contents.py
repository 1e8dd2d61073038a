"""What events contain: no secret, and no input that breaks a log line."""

import json
import re

from bookapi.auth.models import Event, User
from helpers.documents import both
from helpers.event_log import event_page, log_in, newest, parse_line
from helpers.instance import PASSWORD
from helpers.mfa import Factor
from helpers.people import (
    NEW,
    add,
    basic,
    bearer,
    cookie_of,
    id_of,
    make_token,
    rows,
    signed_in,
    stranger,
)


def test_no_secret_appears_in_the_log_or_in_events(logged, clock):
    """After operations of every kind, valid and rejected, no secret that was used is found."""
    app, lines = logged
    client, secrets = signed_in(app), {PASSWORD, NEW, "qwc6 h7 wrong zz"}
    factor = Factor(app, clock)
    token = make_token(client)
    wrong_token = token["secret"][:-3] + "abc"
    code, wrong_code = clock.code(factor.secret), "271828"
    secrets |= {
        factor.secret,
        *factor.recovery_codes,
        token["secret"],
        wrong_token,
        code,
        wrong_code,
        cookie_of(client)["Cookie"].partition("=")[2],
        cookie_of(factor.client)["Cookie"].partition("=")[2],
    }
    for sent in (
        {"code": wrong_code},
        {"code": code},
        {"code": factor.recovery_codes[0]},
        {"password": NEW},
        {"username": NEW},
        {"username": token["secret"]},
        {"username": "nobody", "password": NEW},
    ):
        log_in(app, **({"username": "member", "password": PASSWORD} | sent))
    for headers in (
        bearer(token["secret"]),
        bearer(wrong_token),
        basic("admin", wrong_token),
        basic(NEW, NEW),
        basic(token["secret"], "x"),
        basic("admin", NEW),
        {"Authorization": f"Digest {NEW}"},
    ):
        stranger(app).get(f"/auth/me?password={NEW}", headers=headers)
    client.post(
        "/auth/password", json={"current_password": "qwc6 h7 wrong zz", "new_password": NEW}
    )
    client.post("/auth/users", json={"username": "carol", "password": NEW})
    client.patch(f"/auth/users/{id_of(app, 'carol')}", json={"password": PASSWORD})
    client.post("/auth/password", json={"current_password": PASSWORD, "new_password": NEW})
    client.delete(f"/auth/tokens/{token['id']}")
    client.get("/auth/me", headers={"Cookie": "bookapi=" + NEW})
    factor.client.post("/auth/mfa/disable", json={"current_password": PASSWORD, "code": wrong_code})
    secrets |= {
        secret
        for user in rows(app, User)
        for secret in (
            user.password_hash,
            user.totp_secret,
            user.totp_offered,
            *(user.recovery_hashes or []),
        )
        if secret
    }
    lines.raw()
    kept = json.dumps([newest(app, 1000)], ensure_ascii=False)
    assert len(rows(app, Event)) > 15 and len(lines.whole.splitlines()) > 15
    found = [secret for secret in secrets if secret in kept or secret in lines.whole]
    assert found == [] and "$argon2" not in kept + lines.whole


def test_a_username_that_may_be_a_mistyped_password_is_shortened(app, subtests):
    for typed, recorded in [
        ("my secret password!", None),
        ("correcthorsebatterystaple", "cor…"),
        ("fourteen-chars", "fourteen-chars"),
        ("fifteen-letters", "fif…"),
        ("x" * 64, "xxx…"),
        ("x" * 65, None),
        ("ab", None),
        ("", None),
        ("a\x00bcd", None),
        ("\ud800abc", None),
        ("x" * 100_000, None),
        ("\u202ereversed", None),
    ]:
        with subtests.test(typed=typed, recorded=recorded):
            log_in(app, typed)
            assert (newest(app)[0]["action"], newest(app)[0]["username"]) == (
                "login_refused",
                recorded,
            )
            if typed.isascii():
                assert stranger(app).get("/books", headers=basic(typed, "wrong")).status_code == 401
                assert newest(app)[0]["username"] == recorded


def test_a_long_username_of_an_account_is_recorded_in_full(app):
    add(app, "a-name-of-twenty-one!")
    log_in(app, "A-NAME-of-twenty-one!", "wrong")
    assert newest(app)[0]["username"] == "a-name-of-twenty-one!"


def test_no_input_breaks_or_forges_a_log_line(logged, subtests):
    for odd in [
        "a\r\nb",
        "a\nadmin 200",
        "a\x1b[31mb",
        "a\u202eb",
        "a\u2028b",
        "a\x85b",
        'a"b',
        "a\\b",
        'a" actor="admin',
        "a\x00b",
        "a\tb",
        "\u200fab",
    ]:
        with subtests.test(odd=odd):
            app, lines = logged
            client = app.test_client()
            # no server accepts line breaks in a header
            header = odd.replace("\r", " ").replace("\n", " ").encode("utf-8").decode("latin-1")
            client.post(
                "/auth/login",
                json={"username": odd, "password": "wrong"},
                headers={"User-Agent": header, "X-Request-ID": header},
                environ_base={"REMOTE_ADDR": "192.0.2.7"},
            )
            admin = signed_in(app)
            admin.post(
                "/auth/tokens",
                json={"name": odd.replace("\x00", "").replace("\x1b", ""), "scope": "read"},
            )
            admin.get(f"/auth/users/{odd}")
            written = lines.raw()
            assert len(written) == 3, written
            assert all(line.isprintable() for line in written)
            parsed = [
                json.loads(line) if line.startswith("{") else parse_line(line) for line in written
            ]
            assert [line["message"] for line in parsed] == ["login_refused", "login", "token_added"]
            assert [line.get("actor") for line in parsed] == [None, "admin", "admin"]
            assert all(re.fullmatch("[0-9a-f]{32}|a.b", line["request_id"]) for line in parsed)


@both
def test_an_event_with_unusual_names_is_valid_in_both_formats(app, admin, name):
    for odd in ("a\u202eb", "x'\"<&>]]>", 'a\\b"c', "\U0001f4da\U0001f4da\U0001f4da"):
        log_in(app, odd)
    assert len(event_page(admin, "?action=login_refused", name)["events"]) == 4
