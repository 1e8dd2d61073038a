"""Every setting: its name, default, meaning and check.

Settings come from the defaults here, then from ``instance/config.py`` (names without BOOKAPI_),
then from the environment (names with it), then from what the caller gives `create_app`; the last
one wins. A wrong value or an unknown name is a `SettingError`: one clear line and an exit, never a
surprise later.
"""

import difflib
import ipaddress
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from flask import Flask
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "BOOKAPI_"
# Not settings: scripts use DIR and PYTHON for a checkout and its interpreter; Kubernetes and Docker
# links set the others for a service that is called bookapi.
_NOT_SETTINGS = re.compile(
    "DIR|PYTHON|NAME|ENV_.*|SERVICE_(HOST|PORT(_.*)?)|PORT(_[0-9]+_[A-Z]+(_(PROTO|PORT|ADDR))?)?"
)
# These can also be given as the path of a file that holds the value: BOOKAPI_SECRET_KEY_FILE.
SECRETS = ("SECRET_KEY", "DATABASE_URL", "ADMIN_PASSWORD")
SECRET_FILE = "secret"  # noqa: S105 # the name of a file
SECRET_MIN_LENGTH = 32


class SettingError(click.ClickException):
    """A setting that cannot be used; the message names it and says what would do."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty")
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("must be true or false")


def _automatic_boolean(value: Any) -> bool | None:
    if value in (None, "auto"):
        return None
    try:
        return _boolean(value)
    except ValueError:
        raise ValueError("must be true, false or auto") from None


def _integer(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        number = (
            int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,18}", value) else value
        )
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return number

    return check


def _choice(*names: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return str(value)

    return check


def _hosts(value: Any) -> list[str]:
    if not isinstance(value, (str, list, tuple)):
        raise ValueError("must be host names, separated by commas or as a list")
    hosts = (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else list(value)
    )
    for host in hosts:
        if not isinstance(host, str) or not re.fullmatch(
            r"\.?[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host
        ):
            raise ValueError(
                "must be host names separated by commas, without ports; a leading dot includes "
                "subdomains"
            )
    return hosts


def _proxies(value: Any) -> list[str]:
    """Addresses and networks in their usual form, and `unix`; `localhost` is an older name of
    that."""
    if value in (None, ""):
        return []
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise ValueError("must be addresses or networks, separated by commas or as a list")
    return [_proxy(part) for part in parts]


def _proxy(part: Any) -> str:
    name = part.strip() if isinstance(part, str) else ""
    if name in ("unix", "localhost"):
        return "unix"
    try:
        return str(ipaddress.ip_network(name, strict=False))
    except ValueError:
        raise ValueError(
            "must be IP addresses or networks separated by commas, or unix for the peer of a unix "
            "socket"
        ) from None


def _cookie_name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9_-]{1,64}", value):
        raise ValueError("must be letters, digits, - and _, at most 64")
    if value.startswith("__"):
        raise ValueError("must not begin with __; __Host- is added under HTTPS by itself")
    return value


_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")


def _origins(value: Any) -> list[str]:
    """Origins as browsers write them: in lower case, without the scheme's own port."""
    if value in (None, ""):
        return []
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise ValueError(
            "must be origins such as https://app.example, separated by commas or as a list"
        )
    return [_origin(part) for part in parts]


def _origin(part: Any) -> str:
    found = _ORIGIN.fullmatch(part.strip().lower() if isinstance(part, str) else "")
    if not found or not 1 <= int(found[3] or 1) <= 65535:
        raise ValueError(
            "must be origins separated by commas, each a scheme, a host and perhaps a port, such "
            "as https://app.example:8443; no path, no *"
        )
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" + (f":{int(port)}" if port and port != _PORTS[scheme] else "")


_PORTS = {"http": "80", "https": "443"}
# Headers with a meaning of their own, which PROXY_USER_HEADER must not be.
_OTHER_HEADERS = re.compile(
    "(authorization|cookie|host|origin|accept|connection|forwarded|user-agent|date|via|"
    "idempotency-key|x-request-id|x-real-ip|(content|if|sec|transfer|access-control)-.*|"
    "x-forwarded-(for|proto|host|port|prefix|server))"
)


def _user_header(value: Any) -> str | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9-]{0,63}", value):
        raise ValueError("must be the name of a header: letters, digits and -, at most 64")
    if _OTHER_HEADERS.fullmatch(value.lower()):
        raise ValueError("must be a header of its own, such as Remote-User or X-Forwarded-User")
    return value


def _secret(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) < SECRET_MIN_LENGTH:
        raise ValueError(f"must have at least {SECRET_MIN_LENGTH} characters")
    return value


def _password(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError("must be a password")
    return value


_DRIVERS = {"sqlite": "sqlite", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}


def _database_url(value: Any) -> str | None:
    """The URL with the driver that is meant; None for the instance's own SQLite file."""
    if value is None:
        return None
    meant = "must be sqlite:////PATH, mysql://USER:PASSWORD@HOST:PORT/NAME or mariadb://…"
    try:
        url = make_url(value)
        port = url.port
    except (ArgumentError, ValueError):
        raise ValueError(meant) from None
    if url.get_backend_name() not in _DRIVERS or not url.database or port == 0:
        raise ValueError(meant)
    if url.get_backend_name() == "sqlite" and (
        url.database == ":memory:" or url.database.startswith("file:")
    ):
        raise ValueError("must name a file: sqlite:////PATH")
    url = url.set(drivername=_DRIVERS[url.get_backend_name()])
    return url.render_as_string(hide_password=False)


class Setting(NamedTuple):
    """One setting. `check` takes what was given and returns the value, or raises ValueError saying
    what would do.
    """

    name: str
    default: Any
    check: Callable[[Any], Any]
    meaning: str


SETTINGS = (
    Setting(
        "INSTANCE_PATH",
        None,
        _text,
        "the folder of the local database, the secret and config.py; default: `instance` "
        "beside the package",
    ),
    Setting(
        "SECRET_KEY",
        None,
        _secret,
        "key of the hashes of sessions: another one ends all; default: the file `secret` in the "
        "instance, made by `init`",
    ),
    Setting(
        "DATABASE_URL",
        None,
        _database_url,
        "default: `bookapi.sqlite` in the instance; else `sqlite:////PATH`, "
        "`mysql://USER:PASSWORD@HOST:PORT/NAME` or `mariadb://…`",
    ),
    Setting(
        "ADMIN_PASSWORD",
        None,
        _password,
        "of the first admin that `init` adds; default: a random one, printed once",
    ),
    Setting(
        "PUBLIC_READ", True, _boolean, "anyone may read the catalogue; else only who is signed in"
    ),
    Setting(
        "REQUIRE_IF_MATCH",
        False,
        _boolean,
        "PUT, PATCH and DELETE of a book need If-Match (else 428)",
    ),
    Setting(
        "MAX_BODY_BYTES",
        1024 * 1024,
        _integer(1024, 1024**3),
        "the largest request body, in bytes (else 413)",
    ),
    Setting(
        "MAX_IMPORT_BYTES",
        32 * 1024 * 1024,
        _integer(1024, 1024**4),
        "the largest body of an import, in bytes (else 413)",
    ),
    Setting(
        "EXPORT_SPOOL_BYTES",
        2 * 1024**3,
        _integer(1024, 1024**4),
        "temporary files of exports that are being sent, in bytes (else 503)",
    ),
    Setting(
        "TRUSTED_HOSTS",
        [],
        _hosts,
        "the host names that requests may ask for, by commas; a leading dot "
        "includes subdomains; empty: any",
    ),
    Setting(
        "TRUSTED_PROXY",
        [],
        _proxies,
        "addresses or networks of the proxies in front, by commas, `unix` for the peer of a "
        "unix socket; "
        "X-Forwarded-For, -Proto, -Host, -Port and -Prefix are believed from them alone, "
        "the last in a list",
    ),
    Setting(
        "SESSION_IDLE_MINUTES",
        30,
        _integer(1, 60 * 24 * 365),
        "a session ends after this many idle minutes",
    ),
    Setting(
        "SESSION_HOURS",
        12,
        _integer(1, 24 * 365),
        "a session ends after this many hours, idle or not",
    ),
    Setting(
        "ADMIN_MFA",
        False,
        _boolean,
        "what only admins may do needs an account with a second factor (else 403)",
    ),
    Setting(
        "EVENT_DAYS",
        365,
        _integer(1, 36500),
        "how long sign-ins, refusals and changes of accounts are kept",
    ),
    Setting(
        "SECURE_COOKIES",
        None,
        _automatic_boolean,
        "the session cookie is Secure and named `__Host-…`; `auto` (default): where the "
        "request came by HTTPS",
    ),
    Setting(
        "COOKIE_NAME",
        "bookapi",
        _cookie_name,
        "the name of the session cookie; two services on one host need two",
    ),
    Setting(
        "COOKIE_SAMESITE",
        "lax",
        _choice("lax", "strict", "none"),
        "SameSite of the session cookie; `none`, for pages of CORS_ORIGINS on another site, needs "
        "SECURE_COOKIES=true",
    ),
    Setting(
        "CORS_ORIGINS",
        [],
        _origins,
        "the other origins whose pages may read, sign in and change, by commas, such as "
        "`https://app.example`",
    ),
    Setting(
        "PROXY_USER_HEADER",
        None,
        _user_header,
        "the header in which the proxies of TRUSTED_PROXY name who signed in there, such as "
        "`Remote-User`",
    ),
    Setting(
        "ANSWER_CACHE_BYTES",
        16 * 1024 * 1024,
        _integer(0, 1024**3),
        "memory of the response cache, in bytes; 0: no cache",
    ),
    Setting(
        "COVERS",
        [],
        _hosts,
        "the hosts from whose `cover_url` pages show covers, by commas; a leading dot "
        "includes subdomains; empty: none, so that no other site learns what is read",
    ),
    Setting(
        "LOG_FORMAT", "text", _choice("text", "json"), "the form of a log line on standard error"
    ),
    Setting(
        "ACCESS_LOG",
        False,
        _boolean,
        "one more log line for each request: method, path without query, status, bytes, "
        "milliseconds, request id, account",
    ),
    Setting(
        "DATABASE_WAIT_SECONDS",
        5,
        _integer(1, 60),
        "how long a change waits for another one's lock (else 503)",
    ),
    Setting(
        "QUERY_SECONDS",
        10,
        _integer(1, 600),
        "how long the database may work on one response (else 503); exports are not limited",
    ),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def _checked(name: str, value: Any, origin: str) -> Any:
    if name not in _BY_NAME:
        near = difflib.get_close_matches(name, _BY_NAME, 1)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else "see docs/operations.md"
        raise SettingError(f"{origin} is not a setting; {hint}")
    try:
        return _BY_NAME[name].check(value)
    except ValueError as error:
        raise SettingError(f"{origin} {error}") from None


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that the environment gives, checked."""
    values = {}
    for variable, value in environ.items():
        name = variable.removeprefix(PREFIX)
        if name == variable or _NOT_SETTINGS.fullmatch(name):
            continue
        if name.removesuffix("_FILE") in SECRETS and name.endswith("_FILE"):
            name = name.removesuffix("_FILE")
            if PREFIX + name in environ:
                raise SettingError(f"{PREFIX}{name} and {variable} are both set; one is enough")
            value = _content(variable, value)
        values[name] = _checked(name, value, variable)
    return values


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingError(f"{variable}: cannot read {path}: {reason}") from None


def from_file(path: Path) -> dict[str, Any]:
    """The settings of ``instance/config.py``, checked; nothing where there is no such file."""
    names: dict[str, Any] = {}
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingError(f"cannot read {path}: {error.strerror}") from None
    try:
        exec(compile(source, str(path), "exec"), names)  # noqa: S102 # config.py is the operator's own code
    except Exception as error:
        raise SettingError(f"cannot read {path}: {error}") from None
    return {
        name: _checked(name, value, f"{name} in {path}")
        for name, value in names.items()
        if name.isupper()
    }


def _secret_from_file(instance: Path) -> str | None:
    """The instance's own secret; None before `init` made one."""
    path = instance / SECRET_FILE
    try:
        with open(path, encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise SettingError(f"{path} can be read by others; fix it with: chmod 600 {path}")
            secret = file.read().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot read the secret file {path}: {reason}") from None
    checked: str = _checked("SECRET_KEY", secret, f"the secret in {path}")
    return checked


def instance_path(given: Mapping[str, Any] | None = None) -> str | None:
    """The instance folder that the caller or the environment names, absolute; None: where Flask
    puts it.
    """
    chosen = (given or {}).get("INSTANCE_PATH") or os.environ.get(PREFIX + "INSTANCE_PATH")
    return (
        None
        if chosen is None
        else os.path.abspath(_checked("INSTANCE_PATH", chosen, PREFIX + "INSTANCE_PATH"))
    )


def _check_together(values: Mapping[str, Any]) -> None:
    """Refuse settings that are right alone and wrong together."""
    if values["COOKIE_SAMESITE"] == "none" and values["SECURE_COOKIES"] is not True:
        raise SettingError(
            f"{PREFIX}COOKIE_SAMESITE=none needs {PREFIX}SECURE_COOKIES=true: browsers take such a "
            "cookie by HTTPS alone"
        )
    if values["PROXY_USER_HEADER"] and not values["TRUSTED_PROXY"]:
        raise SettingError(
            f"{PREFIX}PROXY_USER_HEADER needs {PREFIX}TRUSTED_PROXY: without it anyone could send "
            "the header"
        )


def load(given: Mapping[str, Any] | None, instance: str) -> dict[str, Any]:
    """Every setting with the value it has, names without the prefix; `given` may carry Flask's own
    names too.
    """
    folder = Path(instance)
    values = {setting.name: setting.default for setting in SETTINGS}
    values.update(from_file(folder / "config.py"))
    values.update(from_environment(os.environ))
    for name, value in (given or {}).items():
        values[name] = _checked(name, value, name) if name in _BY_NAME else value
    _check_together(values)
    values["INSTANCE_PATH"] = instance
    values["SECRET_KEY"] = values["SECRET_KEY"] or _secret_from_file(folder)
    values["DATABASE_URL"] = values["DATABASE_URL"] or f"sqlite:///{folder / 'bookapi.sqlite'}"
    return values


def init_app(app: Flask, given: Mapping[str, Any] | None = None) -> None:
    """Give the application its settings."""
    app.config.update(load(given, app.instance_path))
