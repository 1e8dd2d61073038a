"""Commands: effects, and failures in one line with an exit status, never a traceback."""

import shutil
import socket
import stat
import sys

import click
import pytest
from click.testing import CliRunner

from bookapi import create_app
from bookapi.cli import Console
from bookapi.db import db
from bookapi.db.sqlite import sqlite3
from helpers.support import bookapi, csv_bytes, one_line, sqlite_url

PASSWORD = "a long enough password"
WRONG_SETTINGS = [
    ("SECRET_KEY", "short"),
    ("DATABASE_URL", "books.sqlite"),
    ("PUBLIC_READ", "yes"),
    ("REQUIRE_IF_MATCH", "1"),
    ("MAX_BODY_BYTES", "1MiB"),
    ("TRUSTED_HOSTS", "https://a.example"),
    ("TRUSTED_PROXY", "proxy.example"),
    ("SESSION_IDLE_MINUTES", "0"),
    ("SESSION_HOURS", "0"),
    ("SECURE_COOKIES", "maybe"),
    ("LOG_FORMAT", "xml"),
    ("DATABASE_WAIT_SECONDS", "0"),
    ("INSTANCE_PATH", " "),
    ("PUBLIC_READS", "true"),
]


class Instance:
    """A folder, and the console over it in this process. Its database is a SQLite file, whatever
    the tests run on.
    """

    def __init__(self, folder, monkeypatch):
        self.folder, self.database, self.secret = (
            folder,
            folder / "bookapi.sqlite",
            folder / "secret",
        )
        self._monkeypatch, self._made = monkeypatch, []

    def _create(self):
        self._made.append(create_app())
        return self._made[-1]

    def run(self, *arguments, stdin=None, status=0, **settings):
        """The command's result; fails where its exit status is another one or an exception came
        through.
        """
        own = {
            "INSTANCE_PATH": str(self.folder),
            "DATABASE_URL": sqlite_url(self.folder),
            **settings,
        }
        with self._monkeypatch.context() as patch:
            patch.setenv("FLASK_RUN_FROM_CLI", "true")  # Flask sets it for good
            patch.setattr(sys, "argv", ["bookapi"])
            for name, value in own.items():
                patch.setenv(f"BOOKAPI_{name}", value)
            result = CliRunner().invoke(
                Console(create_app=self._create, name="bookapi"), arguments, input=stdin
            )
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(
            result.exception
        )
        assert status is None or result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    def login(self, username, password):
        """The status of signing in."""
        app = create_app(
            {"INSTANCE_PATH": str(self.folder), "DATABASE_URL": sqlite_url(self.folder)}
        )
        self._made.append(app)
        answer = app.test_client().post(
            "/auth/login", json={"username": username, "password": password}
        )
        return answer.status_code

    def close(self):
        for app in self._made:
            with app.app_context():
                db.engine.dispose()


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A console whose instance was not made yet."""
    made = Instance(tmp_path / "instance", monkeypatch)
    yield made
    made.close()


@pytest.fixture(scope="session")
def initialised(tmp_path_factory):
    """The folder that `init` made, and what it said; to be copied."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = Instance(tmp_path_factory.mktemp("cli") / "instance", monkeypatch)
        output = made.run("init").stdout
        made.close()
    return made.folder, output


@pytest.fixture
def instance(initialised, nowhere):
    """A console over an instance of its own that `init` made."""
    shutil.copytree(initialised[0], nowhere.folder)
    return nowhere


def passwords_in(text):
    return [line.partition("password: ")[2] for line in text.splitlines() if "password: " in line]


# -- init ------------------------------------------------------------------------------


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


# -- users -----------------------------------------------------------------------------


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


# -- failures --------------------------------------------------------------------------


@pytest.mark.parametrize("name, text", WRONG_SETTINGS)
def test_an_invalid_setting_stops_every_command(instance, name, text):
    before = instance.database.read_bytes()
    result = instance.run("users", "add", "reader", status=1, **{name: text})
    assert f"BOOKAPI_{name} " in one_line(result.stderr) and result.stdout == ""
    assert instance.database.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [["init"], ["serve"], ["db", "upgrade"], ["books", "export", "-"], ["users", "list"]],
)
def test_an_unknown_setting_stops_every_command(nowhere, arguments):
    assert "BOOKAPI_PUBLIC_READS" in one_line(
        nowhere.run(*arguments, status=1, PUBLIC_READS="true").stderr
    )
    assert not nowhere.folder.exists()


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_with_an_invalid_setting_reports_it_in_one_line(nowhere, arguments):
    result = nowhere.run(*arguments, status=None, PUBLIC_READS="true")
    assert [line for line in result.stderr.splitlines() if "BOOKAPI_PUBLIC_READS" in line]


COMMANDS = [
    ["users", "list"],
    ["users", "add", "reader"],
    ["users", "password", "admin"],
    ["users", "disable", "admin"],
    ["users", "enable", "admin"],
    ["books", "export", "-"],
    ["books", "import", "-"],
    ["books", "sample"],
    ["db", "upgrade"],
    ["db", "current"],
    ["db", "check"],
    ["serve", "--port", "0"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_a_database_a_command_fails_and_creates_none(instance, arguments):
    instance.database.unlink()
    assert one_line(instance.run(*arguments, stdin="title\nEmma\n", status=1).stderr)
    assert not instance.database.exists()


@pytest.mark.parametrize(
    "arguments",
    [["users", "list"], ["serve", "--port", "0"], ["books", "export", "-"], ["init"]],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "content", [b"this is no database " * 400, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_a_corrupt_database_is_reported_in_one_line_and_left_unchanged(
    instance, arguments, content
):
    instance.database.write_bytes(content)
    assert one_line(instance.run(*arguments, status=1).stderr)
    assert instance.database.read_bytes() == content


def _stamp(instance, revision):
    with sqlite3.connect(instance.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


@pytest.mark.parametrize(
    "revision, way_out",
    [("0000", "bookapi books export"), ("0004", "bookapi db upgrade"), ("9999", "newer program")],
)
@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["db", "check"]], ids=" ".join)
def test_another_schema_version_is_rejected_with_a_hint(instance, arguments, revision, way_out):
    _stamp(instance, revision)
    line = one_line(instance.run(*arguments, status=1).stderr)
    assert revision in line and way_out in line


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["init"], ["db", "upgrade"]], ids=" ".join)
def test_a_newer_schema_is_not_touched(instance, arguments):
    _stamp(instance, "9999")
    done = bookapi(instance.folder, *arguments)
    assert done.returncode == 1 and "9999" in one_line(done.stderr)
    assert instance.run("db", "current").stdout.strip() == "9999"


def test_serve_on_an_empty_database_says_what_to_run(instance):
    instance.database.write_bytes(b"")
    assert instance.run("db", "current").stdout.strip() == "none"
    assert "bookapi init" in one_line(instance.run("serve", "--port", "0", status=1).stderr)


def test_db_upgrade_creates_the_schema_and_can_be_repeated(instance):
    instance.database.write_bytes(b"")
    assert instance.run("db", "upgrade").stdout == instance.run("db", "upgrade").stdout
    assert instance.run("db", "check").exit_code == 0


def test_serve_needs_a_secret(instance):
    instance.secret.unlink()
    assert "bookapi init" in one_line(instance.run("serve", "--port", "0", status=1).stderr)
    assert not instance.secret.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--port", "70000"],
        ["serve", "--port", "http"],
        ["serve", "--workers", "0"],
        ["serve", "--threads", "0"],
        ["serve", "--nonsense"],
        ["users"],
        ["users", "add"],
        ["users", "add", "a", "b"],
        ["users", "add", "reader", "--role", "root"],
        ["users", "remove", "reader"],
        ["books", "import"],
        ["books", "import", "a.csv", "--mode", "merge"],
        ["books", "export"],
        ["books", "export", "-", "--format", "pdf"],
        ["books", "export", "-", "--filter", "nonsense"],
        ["init", "extra"],
        ["db", "downgrade"],
        ["nonsense"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_one_error(instance, arguments):
    result = instance.run(*arguments, status=2)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 or arguments == ["users"]
    assert result.stdout == ""


def test_every_documented_command_has_help(instance):
    for words in (
        ["init"],
        ["serve"],
        ["users", "add"],
        ["users", "list"],
        ["users", "password"],
        ["users", "disable"],
        ["users", "enable"],
        ["books", "import"],
        ["books", "export"],
        ["db", "upgrade"],
        ["db", "current"],
        ["db", "check"],
    ):
        output = instance.run(*words, "--help").stdout
        assert (
            output.startswith("Usage: bookapi " + " ".join(words)) and len(output.splitlines()) > 3
        )


def test_the_sample_is_loaded_into_an_empty_catalogue_only(instance):
    assert "100" in instance.run("books", "sample").stdout
    assert "already" in instance.run("books", "sample").stdout
    assert len(instance.run("books", "export", "-").stdout.splitlines()) == 100


# -- as processes ----------------------------------------------------------------------


def test_a_failing_process_prints_one_line_and_exits_with_1(instance):
    done = bookapi(instance.folder, "users", "list", PUBLIC_READS="true")
    assert (done.returncode, done.stdout) == (1, "")
    assert "BOOKAPI_PUBLIC_READS" in one_line(done.stderr)


def test_a_process_with_wrong_usage_exits_with_2(instance):
    done = bookapi(instance.folder, "serve", "--port", "http")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_busy_port_is_reported_with_its_address(instance):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        address = "127.0.0.1:{1}".format(*busy.getsockname())
        done = bookapi(instance.folder, "serve", "--port", address.partition(":")[2])
    assert (done.returncode, done.stdout) == (1, "")
    assert address in one_line(done.stderr)


@pytest.mark.slow
def test_serve_creates_neither_database_nor_folder(nowhere):
    done = bookapi(nowhere.folder, "serve", "--port", "0", SECRET_KEY="k" * 32)
    assert (done.returncode, done.stdout) == (1, "")
    assert "bookapi init" in one_line(done.stderr) and not nowhere.folder.exists()


def test_a_username_of_invalid_bytes_is_rejected(instance):
    done = bookapi(instance.folder, "users", "disable", b"\xff\xfeab")
    assert done.returncode == 1
    assert one_line(done.stderr)


@pytest.mark.slow
def test_the_import_command_works_as_a_process(instance, tmp_path):
    (tmp_path / "books.csv").write_bytes(csv_bytes(["title"], ["Les Mis\u00e9rables"]))
    assert bookapi(instance.folder, "books", "import", tmp_path / "books.csv").returncode == 0
    assert "Les Mis\u00e9rables" in bookapi(instance.folder, "books", "export", "-").stdout


def test_help_lists_only_commands_of_bookapi(instance):
    result = instance.run("--help")
    listed = click.unstyle(result.stdout).partition("Commands:")[2].splitlines()
    words = {line.split()[0] for line in listed if line.strip()}
    assert {"init", "serve", "users", "books", "db"} <= words
    assert not words & {"run", "shell"}
