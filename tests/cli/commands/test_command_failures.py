"""Commands that fail: one line and an exit status, never a traceback."""

import socket

import click
import pytest

from bookapi.db.sqlite import sqlite3
from helpers.support import bookapi, csv_bytes, one_line

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
# -- failures ----------------------------------------------------------------------------


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


# -- as processes ------------------------------------------------------------------------


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
