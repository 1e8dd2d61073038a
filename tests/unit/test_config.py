"""Settings: sources, precedence, and what is rejected."""

import os

import pytest

from bookapi import config, create_app
from bookapi.config import SettingError

KEY, OTHER_KEY, THIRD_KEY = "k" * 32, "o" * 40, "t" * 50
# name: default, (text in the environment, value), (value in config.py, value), (value of the
# caller, value)
SETTINGS = {
    "SECRET_KEY": (None, (KEY, KEY), (OTHER_KEY, OTHER_KEY), (THIRD_KEY, THIRD_KEY)),
    "DATABASE_URL": (
        ...,
        ("mysql://a:b@127.0.0.1:3306/books", "mysql+pymysql://a:b@127.0.0.1:3306/books"),
        ("mariadb://a@127.0.0.1/books", "mariadb+pymysql://a@127.0.0.1/books"),
        ("sqlite:////srv/books.sqlite", "sqlite:////srv/books.sqlite"),
    ),
    "ADMIN_PASSWORD": (None, (KEY, KEY), (OTHER_KEY, OTHER_KEY), (THIRD_KEY, THIRD_KEY)),
    "PUBLIC_READ": (True, ("false", False), (True, True), (False, False)),
    "REQUIRE_IF_MATCH": (False, ("true", True), (False, False), (True, True)),
    "MAX_BODY_BYTES": (1024 * 1024, ("2048", 2048), (4096, 4096), (8192, 8192)),
    "MAX_IMPORT_BYTES": (32 * 1024 * 1024, ("1024", 1024), (4096, 4096), (1024**4, 1024**4)),
    "EXPORT_SPOOL_BYTES": (2 * 1024**3, ("1024", 1024), (4096, 4096), (1024**4, 1024**4)),
    "TRUSTED_HOSTS": (
        [],
        ("a.example, .b.example", ["a.example", ".b.example"]),
        (["c.example"], ["c.example"]),
        (["[::1]"], ["[::1]"]),
    ),
    "TRUSTED_PROXY": (
        [],
        ("127.0.0.1, 10.1.0.0/8", ["127.0.0.1/32", "10.0.0.0/8"]),
        ("::1,unix", ["::1/128", "unix"]),
        ("localhost", ["unix"]),
    ),
    "SESSION_IDLE_MINUTES": (30, ("5", 5), (6, 6), (7, 7)),
    "SESSION_HOURS": (12, ("1", 1), (2, 2), (3, 3)),
    "SECURE_COOKIES": (None, ("true", True), (False, False), ("auto", None)),
    "COVERS": ([], ("a.org,.b.org", ["a.org", ".b.org"]), (["a.org"], ["a.org"]), ("", [])),
    "COOKIE_NAME": ("bookapi", ("a", "a"), ("b-1", "b-1"), ("C_2", "C_2")),
    "COOKIE_SAMESITE": ("lax", ("strict", "strict"), ("lax", "lax"), ("strict", "strict")),
    "CORS_ORIGINS": (
        [],
        (
            "https://App.example, http://localhost:3000",
            ["https://app.example", "http://localhost:3000"],
        ),
        (["https://a.example:443"], ["https://a.example"]),
        ("http://[::1]:80,http://a.example:8080", ["http://[::1]", "http://a.example:8080"]),
    ),
    "PROXY_USER_HEADER": (
        None,
        ("Remote-User", "Remote-User"),
        ("X-Forwarded-User", "X-Forwarded-User"),
        ("X-authentik-username", "X-authentik-username"),
    ),
    "ANSWER_CACHE_BYTES": (16 * 1024 * 1024, ("0", 0), (4096, 4096), (8192, 8192)),
    "LOG_FORMAT": ("text", ("json", "json"), ("text", "text"), ("json", "json")),
    "ACCESS_LOG": (False, ("true", True), (True, True), (False, False)),
    "DATABASE_WAIT_SECONDS": (5, ("1", 1), (2, 2), (3, 3)),
    "QUERY_SECONDS": (10, ("1", 1), (2, 2), (600, 600)),
    "ADMIN_MFA": (False, ("true", True), (True, True), (False, False)),
    "EVENT_DAYS": (365, ("1", 1), (2, 2), (36500, 36500)),
}
WRONG = [
    ("COVERS", "https://a.org/"),
    ("ADMIN_PASSWORD", ""),
    ("COOKIE_NAME", ""),
    ("COOKIE_NAME", "a b"),
    ("COOKIE_NAME", "a;b"),
    ("COOKIE_NAME", "__Host-bookapi"),
    ("COOKIE_SAMESITE", "None"),
    ("COOKIE_SAMESITE", ""),
    *(
        ("CORS_ORIGINS", origin)
        for origin in (
            "*",
            "null",
            "app.example",
            "https://app.example/",
            "https://app.example/path",
            "https://*.app.example",
            "https://user@app.example",
            "https://app.example:0",
            "https://app.example:99999",
            "https://b\u00fccher.example",
            "ftp://app.example",
            "https://app.example,",
            "https://app.example https://b.example",
            "https://",
        )
    ),
    *(
        ("PROXY_USER_HEADER", name)
        for name in ("Remote_User", "a b", "Remote-User:", "Authorization", "Cookie", "Host")
    ),
    ("PROXY_USER_HEADER", "X-Forwarded-For"),
    ("PROXY_USER_HEADER", "If-Match"),
    ("EXPORT_SPOOL_BYTES", "0"),
    ("TRUSTED_PROXY", "127.0.0.1,"),
    ("SECRET_KEY", "short"),
    ("SECRET_KEY", ""),
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "books.sqlite"),
    ("DATABASE_URL", "postgresql://a@b/c"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "mysql://a@b:port/c"),
    ("DATABASE_URL", "mysql://a@b:0/c"),
    ("DATABASE_URL", "mysql://a@b"),
    ("DATABASE_URL", "sqlite:///file:books?mode=memory"),
    ("PUBLIC_READ", "yes"),
    ("PUBLIC_READ", "True"),
    ("PUBLIC_READ", ""),
    ("REQUIRE_IF_MATCH", "1"),
    ("MAX_BODY_BYTES", "1MiB"),
    ("MAX_BODY_BYTES", "0"),
    ("MAX_BODY_BYTES", "-1"),
    ("MAX_BODY_BYTES", "2048.0"),
    ("MAX_BODY_BYTES", "\u0661\u0660\u0662\u0664"),
    ("MAX_BODY_BYTES", "9" * 30),
    ("MAX_IMPORT_BYTES", "1023"),
    ("MAX_IMPORT_BYTES", str(1024**4 + 1)),
    ("MAX_IMPORT_BYTES", "256 MiB"),
    ("MAX_BODY_BYTES", ""),
    ("MAX_BODY_BYTES", "2_048"),
    ("TRUSTED_HOSTS", "https://a.example"),
    ("TRUSTED_HOSTS", "a.example:80"),
    ("TRUSTED_HOSTS", "a b"),
    ("TRUSTED_PROXY", "proxy.example"),
    ("TRUSTED_PROXY", "127.0.0.1/99"),
    ("TRUSTED_PROXY", "300.0.0.1"),
    ("SESSION_IDLE_MINUTES", "0"),
    ("SESSION_IDLE_MINUTES", "half"),
    ("SESSION_HOURS", "0"),
    ("SECURE_COOKIES", "maybe"),
    ("ANSWER_CACHE_BYTES", "-1"),
    ("ANSWER_CACHE_BYTES", "many"),
    ("LOG_FORMAT", "xml"),
    ("LOG_FORMAT", ""),
    ("DATABASE_WAIT_SECONDS", "0"),
    ("DATABASE_WAIT_SECONDS", "61"),
    ("QUERY_SECONDS", "0"),
    ("QUERY_SECONDS", "601"),
    ("QUERY_SECONDS", "0.5"),
    ("QUERY_SECONDS", "none"),
    ("ADMIN_MFA", "yes"),
    ("ADMIN_MFA", "auto"),
    ("EVENT_DAYS", "0"),
    ("EVENT_DAYS", "for ever"),
]


@pytest.fixture
def load(tmp_path, monkeypatch):
    """A function that gives the settings for what stands in config.py, in the environment and what
    the caller gives.
    """

    def run(file="", given=None, **environ):
        if "PROXY_USER_HEADER" in f"{file} {given} {environ}":
            environ.setdefault("BOOKAPI_TRUSTED_PROXY", "unix")
        if file:
            (tmp_path / "config.py").write_text(file)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return config.load(given, str(tmp_path))

    return run


def test_every_setting_is_in_these_tables():
    assert {setting.name for setting in config.SETTINGS} == {"INSTANCE_PATH", *SETTINGS}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_its_default(load, tmp_path, name):
    default = (
        f"sqlite:///{tmp_path / 'bookapi.sqlite'}" if name == "DATABASE_URL" else SETTINGS[name][0]
    )
    assert load()[name] == default


@pytest.mark.parametrize("name", SETTINGS)
def test_config_py_overrides_the_default(load, name):
    value, expected = SETTINGS[name][2]
    assert load(f"{name} = {value!r}\n")[name] == expected


@pytest.mark.parametrize("name", SETTINGS)
def test_the_environment_overrides_config_py(load, name):
    (text, expected), (in_file, _) = SETTINGS[name][1], SETTINGS[name][2]
    assert load(f"{name} = {in_file!r}\n", **{f"BOOKAPI_{name}": text})[name] == expected


@pytest.mark.parametrize("name", SETTINGS)
def test_arguments_of_create_app_override_everything(load, name):
    (text, _), (in_file, _), (given, expected) = SETTINGS[name][1:]
    assert (
        load(f"{name} = {in_file!r}\n", {name: given}, **{f"BOOKAPI_{name}": text})[name]
        == expected
    )


def test_settings_are_in_app_config(load, tmp_path):
    app = create_app(
        {"INSTANCE_PATH": str(tmp_path), "SECRET_KEY": KEY, "MAX_BODY_BYTES": 2048, "TESTING": True}
    )
    assert (app.config["MAX_BODY_BYTES"], app.config["SECRET_KEY"], app.config["TESTING"]) == (
        2048,
        KEY,
        True,
    )
    assert app.instance_path == str(tmp_path)


@pytest.mark.parametrize("name, text", WRONG)
def test_an_invalid_value_is_reported_with_the_name_of_its_variable(load, name, text):
    with pytest.raises(SettingError) as refused:
        load(**{f"BOOKAPI_{name}": text})
    assert refused.value.message.startswith(f"BOOKAPI_{name} must ")
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("name, text", WRONG)
def test_an_invalid_value_in_config_py_is_reported_with_the_file(load, tmp_path, name, text):
    with pytest.raises(SettingError) as refused:
        load(f"{name} = {text!r}\n")
    assert refused.value.message.startswith(f"{name} in {tmp_path / 'config.py'} must ")


@pytest.mark.parametrize(
    "name, literal",
    [
        ("MAX_BODY_BYTES", "2048.5"),
        ("MAX_BODY_BYTES", "True"),
        ("MAX_BODY_BYTES", "[]"),
        ("MAX_BODY_BYTES", "None"),
        ("PUBLIC_READ", "1"),
        ("PUBLIC_READ", "None"),
        ("PUBLIC_READ", "[]"),
        ("SECRET_KEY", "b'" + "k" * 32 + "'"),
        ("TRUSTED_HOSTS", "[1]"),
        ("TRUSTED_HOSTS", "7"),
        ("TRUSTED_HOSTS", "None"),
        ("TRUSTED_PROXY", "[1]"),
        ("LOG_FORMAT", "[]"),
        ("LOG_FORMAT", "None"),
        ("DATABASE_URL", "7"),
        ("DATABASE_URL", "[]"),
        ("SECURE_COOKIES", "[]"),
        ("SESSION_HOURS", "1.5"),
    ],
)
def test_a_value_of_the_wrong_type_in_config_py_is_rejected(load, name, literal):
    with pytest.raises(SettingError) as refused:
        load(f"{name} = {literal}\n")
    assert refused.value.message.startswith(f"{name} in ")


@pytest.mark.parametrize(
    "settings, needed",
    [
        ({"COOKIE_SAMESITE": "none"}, "BOOKAPI_SECURE_COOKIES=true"),
        ({"COOKIE_SAMESITE": "none", "SECURE_COOKIES": "auto"}, "BOOKAPI_SECURE_COOKIES=true"),
        ({"COOKIE_SAMESITE": "none", "SECURE_COOKIES": False}, "BOOKAPI_SECURE_COOKIES=true"),
        ({"PROXY_USER_HEADER": "Remote-User"}, "BOOKAPI_TRUSTED_PROXY"),
        ({"PROXY_USER_HEADER": "Remote-User", "TRUSTED_PROXY": ""}, "BOOKAPI_TRUSTED_PROXY"),
    ],
)
def test_a_setting_without_the_one_that_it_needs_stops_the_start(tmp_path, settings, needed):
    with pytest.raises(SettingError) as refused:
        config.load(settings, str(tmp_path))
    assert f" needs {needed}: " in refused.value.message and "\n" not in refused.value.message


def test_the_cookie_for_other_sites_is_accepted_with_https(tmp_path):
    chosen = {"COOKIE_SAMESITE": "none", "SECURE_COOKIES": True}
    assert config.load(chosen, str(tmp_path))["COOKIE_SAMESITE"] == "none"


def test_an_invalid_secret_is_never_printed(load):
    with pytest.raises(SettingError) as refused:
        load(BOOKAPI_SECRET_KEY="my little secret")
    assert "my little secret" not in refused.value.message


@pytest.mark.parametrize(
    "name", ["BOOKAPI_PUBLIC_READS", "BOOKAPI_", "BOOKAPI_public_read", "BOOKAPI_TESTING"]
)
def test_an_unknown_variable_in_the_environment_is_rejected(load, name):
    with pytest.raises(SettingError, match=name):
        load(**{name: "true"})


@pytest.mark.parametrize("name", ["PUBLIC_READS", "BOOKAPI_PUBLIC_READ", "DEBUG"])
def test_an_unknown_name_in_config_py_is_rejected(load, name):
    with pytest.raises(SettingError, match=name):
        load(f"{name} = True\n")


@pytest.mark.parametrize(
    "text",
    [
        "MAX_BODY_BYTES =",
        "raise ValueError('no')",
        "import a_module_that_is_not_there",
        "1 / 0",
        "\x00",
    ],
)
def test_a_config_py_that_raises_is_reported_with_its_path(load, tmp_path, text):
    with pytest.raises(SettingError) as refused:
        load(text + "\n")
    assert str(tmp_path / "config.py") in refused.value.message


def test_config_py_may_import_and_define_other_names(load):
    assert (
        load("import os\nmebi = 1024 ** 2\nMAX_BODY_BYTES = 2 * mebi\n")["MAX_BODY_BYTES"]
        == 2 * 1024**2
    )


def test_special_characters_in_the_database_password_are_kept(load):
    url = "mysql://user:p%40ss%3A%2F@127.0.0.1:3306/books"
    assert load(BOOKAPI_DATABASE_URL=url)["DATABASE_URL"] == url.replace("mysql:", "mysql+pymysql:")


# -- the instance and its secret -------------------------------------------------------


def secret(folder, text, mode=0o600):
    path = folder / "secret"
    path.write_bytes(text)
    path.chmod(mode)


def test_the_secret_file_of_the_instance_is_used(load, tmp_path):
    secret(tmp_path, KEY.encode() + b"\n")
    assert load()["SECRET_KEY"] == KEY


def test_a_configured_secret_overrides_the_secret_file(load, tmp_path):
    secret(tmp_path, KEY.encode())
    assert load(BOOKAPI_SECRET_KEY=OTHER_KEY)["SECRET_KEY"] == OTHER_KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_secret_file_that_others_can_read_is_rejected(load, tmp_path, mode):
    secret(tmp_path, KEY.encode(), mode)
    with pytest.raises(SettingError, match="chmod 600"):
        load()


@pytest.mark.parametrize("text", [b"short", b"", b"\n" * 40, "\u00e9".encode() * 40, b"\xff" * 40])
def test_an_invalid_secret_file_is_rejected(load, tmp_path, text):
    secret(tmp_path, text)
    with pytest.raises(SettingError) as refused:
        load()
    assert str(tmp_path / "secret") in refused.value.message


def test_the_instance_path_comes_from_the_caller_then_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOKAPI_INSTANCE_PATH", str(tmp_path / "a"))
    assert config.instance_path() == str(tmp_path / "a")
    assert config.instance_path({"INSTANCE_PATH": str(tmp_path / "b")}) == str(tmp_path / "b")


def test_the_instance_path_is_absolute_and_may_not_be_empty(monkeypatch):
    assert config.instance_path({"INSTANCE_PATH": "somewhere"}) == os.path.abspath("somewhere")
    monkeypatch.setenv("BOOKAPI_INSTANCE_PATH", " ")
    with pytest.raises(SettingError, match="BOOKAPI_INSTANCE_PATH"):
        config.instance_path()


def test_the_app_can_be_created_before_its_instance_folder(tmp_path):
    app = create_app({"INSTANCE_PATH": str(tmp_path / "none")})
    assert app.config["SECRET_KEY"] is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL"])
def test_a_secret_can_be_read_from_a_file(load, tmp_path, name):
    value = {"SECRET_KEY": KEY, "DATABASE_URL": "sqlite:////srv/books.sqlite"}[name]
    (tmp_path / "value").write_text(f"{value}\n")
    assert load(**{f"BOOKAPI_{name}_FILE": str(tmp_path / "value")})[name] == value


def test_a_secret_given_in_two_ways_is_rejected(load, tmp_path):
    (tmp_path / "value").write_text(KEY)
    with pytest.raises(SettingError, match="BOOKAPI_SECRET_KEY_FILE"):
        load(BOOKAPI_SECRET_KEY_FILE=str(tmp_path / "value"), BOOKAPI_SECRET_KEY=OTHER_KEY)


def test_a_secret_file_that_is_not_there_is_reported_with_its_path(load, tmp_path):
    with pytest.raises(SettingError, match="BOOKAPI_SECRET_KEY_FILE.*nowhere"):
        load(BOOKAPI_SECRET_KEY_FILE=str(tmp_path / "nowhere"))


def test_a_secret_file_with_a_wrong_value_is_reported_by_its_variable(load, tmp_path):
    (tmp_path / "value").write_text("short")
    with pytest.raises(SettingError, match="BOOKAPI_SECRET_KEY_FILE must") as raised:
        load(BOOKAPI_SECRET_KEY_FILE=str(tmp_path / "value"))
    assert "short" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP",
        "PORT_8000_TCP",
        "PORT_8000_TCP_PROTO",
        "PORT_8000_TCP_PORT",
        "PORT_8000_TCP_ADDR",
        "NAME",
        "ENV_PATH",
    ],
)
def test_what_kubernetes_and_docker_set_is_ignored(load, name):
    assert load(**{f"BOOKAPI_{name}": "tcp://10.0.0.1:8000"})["PUBLIC_READ"] is True


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("PUBLC_READ", "PUBLIC_READ"),
        ("MAX_BODY_BYTE", "MAX_BODY_BYTES"),
        ("NONSENSE", None),
        ("DB_URL", "DATABASE_URL"),
    ],
)
def test_a_misspelt_setting_is_rejected_with_the_nearest_name(load, name, nearest):
    with pytest.raises(SettingError) as raised:
        load(**{f"BOOKAPI_{name}": "x"})
    assert f"BOOKAPI_{name} is not a setting" in raised.value.message
    assert (f"did you mean BOOKAPI_{nearest}?" if nearest else "docs/operations.md") in (
        raised.value.message
    )
