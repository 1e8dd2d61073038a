"""Which passwords are accepted, and what hashing costs."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import argon2
import pytest

from bookapi.auth import accounts, passwords, usernames
from bookapi.auth.models import MEMBER
from bookapi.db import db
from bookapi.http.load import LOAD, Load
from helpers.documents import faults, send
from helpers.instance import PASSWORD, Auth

GOOD = "a long enough password"
PATIENCE = 20


def test_the_hash_cost_follows_owasp():
    parameters = argon2.extract_parameters(passwords.PARAMETERS.hash(GOOD))
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        19 * 1024,
        2,
        1,
    )


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "PasswordPassword",
        "aaaaaaaaaaaaaaaa",
        "123123123123123123",
        "abcdefghijklmnop",
        "1234567890123456",
        "0987654321098765",
        "qwertyuiopasdfgh",
        "1qaz2wsx3edc4rfv",
        "ab ab ab ab ab ab ab",
        "zyxzyxzyxzyxzyxzyx",
        "8901234567890123",
        "mlkjihgfedcbazyx",
        "yuiopasdfghjklzx",
        "1q2w3e4r5t6y7u8i",
        "\x00" * 16,
    ],
)
def test_easily_guessed_passwords_are_rejected(password):
    assert "guessed" in passwords.error_in(password, "reader")


@pytest.mark.parametrize(
    "password",
    [
        "a-name-of-fifteen",
        "A-NAME-of-fifteen",
        "ａ-name-of-fifteen",
        "a-name-of-fifteen1234",
        "bookapi-bookapi-2",
        "BookAPI-BookAPI",
        "bookapi.a-name-of-fifteen",
        "123456789-a-name-of-fifteen",
    ],
)
def test_passwords_made_of_the_username_are_rejected(password):
    assert "username" in passwords.error_in(password, "a-name-of-fifteen")


def test_a_long_password_may_contain_the_username():
    assert passwords.error_in("my bookapi is a fine old library", "reader") is None
    assert passwords.error_in("the reader of many odd pages", "reader") is None


@pytest.mark.parametrize(
    "password", [GOOD, "correct-horse-battery", "ß" * 7 + "öüäöüäöü", " spaces count here "]
)
def test_any_characters_are_accepted(password):
    assert passwords.error_in(password, "reader") is None
    assert passwords.matches(passwords.make_hash(password), password)


@pytest.mark.parametrize("length, refused", [(14, True), (15, False), (128, False), (129, True)])
def test_the_length_is_counted_in_characters(length, refused):
    password = "".join(chr(0x4E00 + number * 7) for number in range(length))
    assert bool(passwords.error_in(password, "reader")) == refused


def test_no_password_matches_a_missing_hash():
    assert not passwords.matches(None, GOOD)
    assert not passwords.matches(passwords.make_hash(GOOD), GOOD + " ")


# -- exactly as it was received --------------------------------------------------------


@pytest.mark.parametrize(
    "exact, others",
    [
        (" a long enough password ", [GOOD, " " + GOOD, GOOD + " "]),
        (
            "Caf\u00e9 au lait, s'il vous",
            ["Cafe\u0301 au lait, s'il vous", "Cafe au lait, s'il vous"],
        ),
        ("\ufb01ve hundred and twelve", ["five hundred and twelve"]),
        ("ＦＵＬＬ ＷＩＤＴＨ letters", ["FULL WIDTH letters"]),
        ("A Long Enough Password", [GOOD, GOOD.upper()]),
        ("zero width\u200bjoined words", ["zero widthjoined words"]),
        (
            "before the NUL\x00behind it",
            ["before the NUL", "before the NUL\x00", "before the NUL\x00behind him"],
        ),
        ("\U0001f4da" * 8 + " and books", ["\U0001f4d8" * 8 + " and books"]),
    ],
)
def test_a_password_is_neither_trimmed_nor_normalized(exact, others):
    kept = passwords.make_hash(exact)
    assert passwords.error_in(exact, "reader") is None and passwords.matches(kept, exact)
    assert not any(passwords.matches(kept, other) for other in others)


@pytest.mark.parametrize("character, of_bytes", [("x", 1), ("é", 2), ("漢", 3), ("\U0001f4da", 4)])
def test_no_character_is_cut_off(character, of_bytes):
    longest = "".join(chr(ord(character) + number % 7) for number in range(passwords.MAX_LENGTH))
    kept = passwords.make_hash(longest)
    assert len(longest.encode()) >= passwords.MAX_LENGTH * of_bytes and passwords.matches(
        kept, longest
    )
    assert not passwords.matches(kept, longest[:-1]) and not passwords.matches(
        kept, longest + character
    )


@pytest.mark.parametrize(
    "odd", ["\ud800", "\udfff\ud800", "a long enough password \udc00", "\ud800" * 64]
)
def test_a_lone_surrogate_is_rejected_and_matches_nothing(odd):
    assert passwords.error_in(odd.ljust(15, "x"), "reader") == "contains an unpaired surrogate"
    assert not passwords.matches(passwords.make_hash(""), odd)
    assert not passwords.matches(passwords.make_hash(GOOD), odd)


@pytest.mark.parametrize("odd", ["", "x" * 129, "x" * 1_000_000])
def test_an_invalid_password_does_not_match_the_hash_of_an_empty_one(odd):
    assert not passwords.matches(passwords.make_hash(""), odd) or odd == ""
    assert not passwords.matches(None, odd)


@pytest.mark.parametrize("broken", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "\x00"])
def test_a_damaged_hash_matches_nothing(broken):
    assert not passwords.matches(broken, GOOD)


# -- what it costs ---------------------------------------------------------------------


@pytest.fixture
def real(monkeypatch):
    """Hashes as the service makes them."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PARAMETERS)


def test_hashes_are_computed_at_a_low_priority(monkeypatch):
    seen = []

    def note(*_):
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    monkeypatch.setattr(passwords, "_hasher", SimpleNamespace(hash=note, verify=note))
    note()
    passwords.make_hash(GOOD)
    passwords.matches("a hash", GOOD)
    note()
    own, *hashing, own_afterwards = seen
    assert hashing == [min(own + 10, 19)] * 2 and own_afterwards == own


def test_hashes_have_the_configured_parameters_and_their_own_salt(real):
    one, other = passwords.make_hash(GOOD), passwords.make_hash(GOOD)
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and one != other
    parameters = argon2.extract_parameters(one)
    assert parameters.salt_len >= 16 and parameters.hash_len >= 32 and len(one) <= 255


def test_a_name_without_an_account_costs_as_much_as_one_with(real):
    dummy = passwords.dummy_hash()
    assert argon2.extract_parameters(dummy) == argon2.extract_parameters(passwords.make_hash(GOOD))
    with pytest.raises(argon2.exceptions.VerifyMismatchError):  # computed, not refused as damaged
        passwords.PARAMETERS.verify(dummy, GOOD)


def test_a_password_of_a_megabyte_is_rejected_quickly(real, monkeypatch):
    hashed, verify = [], argon2.PasswordHasher.verify
    monkeypatch.setattr(
        argon2.PasswordHasher, "verify", lambda *given: hashed.append(given[2]) or verify(*given)
    )
    kept = passwords.make_hash(GOOD)
    assert not any(
        passwords.matches(kept, odd) for odd in ("x" * 1_000_000, "\ud800" * 1_000_000, "x" * 129)
    )
    assert hashed == ["", "", ""]


def test_a_new_password_of_a_megabyte_is_rejected_by_length(monkeypatch):
    monkeypatch.setattr(passwords, "canonical", None)
    monkeypatch.setattr(passwords, "_score", None)
    assert "characters" in passwords.error_in("x" * 1_000_000, "reader")


@pytest.mark.parametrize(
    "parameters",
    [{"time_cost": 3}, {"memory_cost": 16 * 1024}, {"parallelism": 4}, {"type": argon2.Type.I}],
)
def test_a_hash_of_other_parameters_is_outdated(real, parameters):
    other = argon2.PasswordHasher(
        **{"time_cost": 2, "memory_cost": 19 * 1024, "parallelism": 1, **parameters}
    )
    kept = other.hash(GOOD)
    assert passwords.matches(kept, GOOD) and passwords.is_outdated(kept)
    assert not passwords.is_outdated(passwords.make_hash(GOOD))


def hash_of(app, username):
    with app.app_context(), db.read() as connection:
        return accounts.existing(connection, username).password_hash


@pytest.fixture
def outdated(app):
    """An account whose hash has parameters of former times."""
    kept = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    with app.app_context():
        db.write(accounts.add, "outdated", kept, MEMBER)
    return kept


def test_signing_in_renews_an_outdated_hash(app, client, outdated):
    assert [
        Auth(client).login("outdated", password).status_code for password in ("wrong", PASSWORD)
    ] == [401, 200]
    made = hash_of(app, "outdated")
    assert made != outdated and not passwords.is_outdated(made)
    assert (client.get("/auth/me").status_code, Auth(client).login("outdated").status_code) == (
        200,
        200,
    )
    assert hash_of(app, "outdated") == made


def test_a_wrong_password_does_not_renew_a_hash(app, client, outdated):
    assert Auth(client).login("outdated", "wrong").status_code == 401
    assert hash_of(app, "outdated") == outdated


def test_concurrent_sign_ins_with_an_outdated_hash_both_succeed(app, outdated, monkeypatch):
    apart, wait = [], passwords.make_hash

    def slowly(password):
        apart.append(password)
        begun = time.monotonic()
        while len(apart) < 2 and time.monotonic() - begun < 1:  # the other one has compared, too
            time.sleep(0.01)
        return wait(password)

    monkeypatch.setattr(passwords, "make_hash", slowly)
    app.extensions[LOAD] = Load(threads=8)
    with ThreadPoolExecutor(2) as pool:
        reported = [pool.submit(Auth(app.test_client()).login, "outdated") for _ in range(2)]
        assert [each.result(PATIENCE).status_code for each in reported] == [200, 200]


# -- made by the service ---------------------------------------------------------------


@pytest.mark.slow
def test_random_passwords_are_strong_and_unique():
    made = {passwords.random_password() for _ in range(200)}
    assert len(made) == 200 and all(passwords.error_in(each, "admin") is None for each in made)
    assert {len(each) for each in made} == {24} and not any(each.strip() != each for each in made)


def test_a_random_password_signs_in(app, runner):
    answer = runner.invoke(args=["users", "add", "newcomer"])
    [made] = [
        line.removeprefix("password: ")
        for line in answer.output.splitlines()
        if line.startswith("password: ")
    ]
    assert Auth(app.test_client()).login("newcomer", made).status_code == 200


# -- over HTTP -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["json", "xml"])
@pytest.mark.parametrize(
    "password",
    [
        "x" * 14,
        "漢" * 14,
        "x" * 129,
        "passwordpassword",
        "newcomer-newcomer",
        "bookapi-bookapi",
        "abcabcabcabcabcabc",
        "",
    ],
)
def test_a_weak_password_is_rejected_for_a_new_account(admin, name, password):
    answer = send(
        admin, "POST", "/auth/users", name, {"username": "newcomer", "password": password}, "user"
    )
    assert (answer.status_code, faults(answer)) == (422, ["password"])
    assert admin.get("/auth/users").json["total"] == 2


@pytest.mark.parametrize("odd", [r"\ud800", r"\u0000", "x" * 900_000])
def test_an_invalid_password_is_rejected_for_a_new_account(admin, odd):
    body = f'{{"username": "newcomer", "password": "{odd}"}}'
    answer = admin.post("/auth/users", data=body, content_type="application/json")
    assert (answer.status_code, faults(answer)) == (422, ["password"])


# -- names -----------------------------------------------------------------------------


def test_a_username_may_be_typed_in_full_width_or_upper_case(client):
    assert [
        Auth(client).login(name).status_code for name in ("ａｄｍｉｎ", "ADMIN", "Ａdmin", "ⓐdmin")
    ] == [200] * 4


@pytest.mark.parametrize(
    "username",
    [
        "admin ",
        " admin",
        "admin\t",
        "admin\u00a0",
        "ad\u200bmin",
        "admin\u200d",
        "adm\u00adin",
        "\ufeffadmin",
        "аdmin",
        "admın",
        "adm1n",
        "admin\x00",
        "ad\u0301min",
        "admin\u2060",
        "admin\ud800",
        "a" * 70_000,
        "%",
        "admin'--",
    ],
)
def test_a_lookalike_username_does_not_sign_in(app, username):
    reported = [
        app.test_client().post(
            "/auth/login",
            json={"username": name, "password": PASSWORD},
            headers={"X-Request-ID": "same"},
        )
        for name in ("nobody at all", username)
    ]
    assert {answer.status_code for answer in reported} == {401}
    assert len({(answer.get_data(), str(answer.headers)) for answer in reported}) == 1


@pytest.mark.parametrize(
    "username, status",
    [
        ("admin ", 422),
        (" admin", 422),
        ("ad\u200bmin", 422),
        ("adm\u00adin", 422),
        ("\ufeffadmin", 422),
        ("admin\u00a0", 422),
        ("ADMIN", 409),
        ("ａｄｍｉｎ", 409),
        ("admın", 409),
        ("аdmin", 422),
        ("ad", 422),
        ("a" * 65, 422),
        ("ﷺ" * 64, 422),
    ],
)
def test_a_lookalike_of_an_existing_username_is_rejected(admin, username, status):
    answer = admin.post(
        "/auth/users", json={"username": username, "password": "another long enough password"}
    )
    assert (answer.status_code, faults(answer)) == (status, ["username"])


@pytest.mark.parametrize(
    "one, other",
    [("Straße", "STRASSE"), ("José", "jose\u0301"), ("ﬁne", "FINE"), ("Ω-name", "ω-name")],
)
def test_spellings_of_one_name_are_the_same(one, other):
    assert usernames.is_same(one, other) and usernames.canonical(
        usernames.canonical(one)
    ) == usernames.canonical(one)
