"""Commands that make an instance and its accounts."""

import stat

import pytest

from bookapi.db.sqlite import sqlite3
from helpers.support import one_line

PASSWORD = "a long enough password"


def passwords_in(text):
    return [line.partition("password: ")[2] for line in text.splitlines() if "password: " in line]


# -- init --------------------------------------------------------------------------------


def test_init_makes_a_folder_a_secret_and_a_database_for_its_owner_alone(nowhere):
    nowhere.run("init")
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (nowhere.folder, nowhere.secret, nowhere.database)
    ]
    assert modes == [0o700, 0o600, 0o600]
    nowhere.close()
    assert sorted(path.name for path in nowhere.folder.iterdir()) == ["bookapi.sqlite", "secret"]


def test_the_first_password_is_printed_once_and_signs_in(initialised, instance):
    [password] = passwords_in(initialised[1])
    assert f"admin password: {password}\n" in initialised[1] and len(password) >= 15
    assert instance.login("admin", password) == 200


def test_running_init_again_changes_nothing_and_prints_no_password(instance):
    secret = instance.secret.read_text()
    assert passwords_in(instance.run("init").stdout) == []
    assert instance.secret.read_text() == secret
    assert len(instance.run("users", "list").stdout.splitlines()) == 1


def test_init_names_the_first_admin(nowhere):
    assert "admin: librarian\n" in nowhere.run("init", "--admin", "librarian").stdout
    assert nowhere.run("users", "list").stdout.split("\t")[1:4] == ["librarian", "admin", "active"]


def test_init_rejects_an_invalid_username_and_can_be_repeated(nowhere):
    result = nowhere.run("init", "--admin", "a b", status=1)
    assert "username" in one_line(result.stderr) and passwords_in(result.stdout) == []
    assert len(passwords_in(nowhere.run("init").stdout)) == 1


def test_init_creates_another_admin_if_there_is_none(instance):
    with sqlite3.connect(instance.database) as connection:
        connection.execute("DELETE FROM users")
    connection.close()
    [password] = passwords_in(instance.run("init").stdout)
    assert instance.login("admin", password) == 200


def test_init_completes_an_incomplete_instance(instance):
    instance.secret.unlink()
    instance.database.unlink()
    assert len(passwords_in(instance.run("init").stdout)) == 1
    assert instance.secret.exists() and instance.database.exists()


def test_init_reports_what_prevents_it(nowhere):
    nowhere.folder.write_text("a file where the folder should be")
    assert one_line(nowhere.run("init", status=1).stderr)
    assert nowhere.folder.read_text() == "a file where the folder should be"


# -- users -------------------------------------------------------------------------------


def test_an_account_is_added_with_the_password_from_standard_input(instance):
    result = instance.run(
        "users", "add", "reader", "--password-stdin", stdin=f"{PASSWORD}\nsecond line\n"
    )
    assert passwords_in(result.output) == [] and PASSWORD not in result.output
    assert instance.login("reader", PASSWORD) == 200


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_the_newline_is_not_part_of_the_password(instance, ending):
    instance.run("users", "add", "reader", "--password-stdin", stdin=f" {PASSWORD} {ending}")
    assert instance.login("reader", f" {PASSWORD} ") == 200


def test_without_a_terminal_a_random_password_is_generated_and_printed_once(instance):
    result = instance.run("users", "add", "reader", "--role", "admin")
    [password] = passwords_in(result.output)
    assert instance.login("reader", password) == 200
    assert instance.run("users", "list").stdout.splitlines()[1].split("\t")[1:4] == [
        "reader",
        "admin",
        "active",
    ]


def test_an_account_is_a_member_by_default(instance):
    instance.run("users", "add", "reader")
    lines = [line.split("\t") for line in instance.run("users", "list").stdout.splitlines()]
    assert [line[:4] for line in lines] == [
        ["1", "admin", "admin", "active"],
        ["2", "reader", "member", "active"],
    ]


def test_a_new_password_replaces_the_old_one(instance):
    instance.run("users", "add", "reader", "--password-stdin", stdin=PASSWORD)
    instance.run("users", "password", "READER", "--password-stdin", stdin=PASSWORD + " 2")
    assert (instance.login("reader", PASSWORD), instance.login("reader", PASSWORD + " 2")) == (
        401,
        200,
    )


def test_a_disabled_account_is_shut_out_until_it_is_enabled(instance):
    instance.run("users", "add", "reader", "--password-stdin", stdin=PASSWORD)
    instance.run("users", "disable", "reader")
    assert instance.login("reader", PASSWORD) == 401
    instance.run("users", "enable", "reader")
    assert instance.login("reader", PASSWORD) == 200


def test_a_list_never_shows_a_hash(instance):
    output = instance.run("users", "list").output
    assert "argon2" not in output
    assert len(output.strip().split("\t")) == 5


@pytest.mark.parametrize(
    "arguments, stdin, said",
    [
        (["add", "reader", "--password-stdin"], PASSWORD, "taken"),
        (["add", "READER", "--password-stdin"], PASSWORD, "taken"),
        (["add", "\uff52eader", "--password-stdin"], PASSWORD, "taken"),
        (["add", "ab", "--password-stdin"], PASSWORD, "username"),
        (["add", "a" * 65, "--password-stdin"], PASSWORD, "username"),
        (["add", "two words", "--password-stdin"], PASSWORD, "username"),
        (["add", "in\u200bvisible", "--password-stdin"], PASSWORD, "username"),
        (["add", "\udcff\udcfeab", "--password-stdin"], PASSWORD, "username"),
        (["add", "", "--password-stdin"], PASSWORD, "username"),
        (["add", "newcomer", "--password-stdin"], "short", "password"),
        (["add", "newcomer", "--password-stdin"], "", "password"),
        (["add", "newcomer", "--password-stdin"], "x" * 129, "password"),
        (["add", "a_reader_of_books", "--password-stdin"], "A_reader_of_books", "password"),
        (["password", "nobody", "--password-stdin"], PASSWORD, "no such user"),
        (["password", "admin", "--password-stdin"], "short", "password"),
        (["password", "\udcff\udcfeab", "--password-stdin"], PASSWORD, "no such user"),
        (["disable", "nobody"], None, "no such user"),
        (["disable", "admin"], None, "last active admin"),
        (["disable", "\udcff\udcfeab"], None, "no such user"),
        (["enable", "nobody"], None, "no such user"),
        (["add", "ab"], None, "username"),
        (["password", "nobody"], None, "no such user"),
    ],
)
def test_a_failed_account_command_reports_why_and_changes_nothing(instance, arguments, stdin, said):
    instance.run("users", "add", "reader", "--password-stdin", stdin=PASSWORD)
    before = instance.run("users", "list").stdout
    result = instance.run("users", *arguments, stdin=stdin, status=1)
    assert said in one_line(result.stderr) and passwords_in(result.stdout) == []
    assert instance.run("users", "list").stdout == before


def test_common_passwords_are_rejected(instance):
    for password in ("passwordpassword", "123456789012345", "qwertyuiopasdfgh"):
        result = instance.run(
            "users", "add", "reader", "--password-stdin", stdin=password, status=1
        )
        assert "password" in one_line(result.stderr)


def test_adding_the_account_that_init_created_updates_it_and_keeps_an_admin(instance):
    instance.run("users", "add", "admin", "--password-stdin", "--role", "admin", stdin=PASSWORD)
    assert instance.login("admin", PASSWORD) == 200
    lines = instance.run("users", "list").stdout.splitlines()
    assert [line.split("\t")[1:4] for line in lines] == [["admin", "admin", "active"]]


def test_adding_the_only_admin_again_does_not_demote_it(instance):
    instance.run("users", "add", "admin", "--password-stdin", stdin=PASSWORD, status=1)
    assert instance.run("users", "list").stdout.split("\t")[1:4] == ["admin", "admin", "active"]
