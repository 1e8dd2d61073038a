"""``bookapi genconfig``: configuration of what stands around the service, from the settings in use.

The templates are in ``deploy/`` beside this module. The folder ``deploy/`` of the repository is
their output with the default settings: ``make deploy`` (a test compares them).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from flask import current_app
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..cli import command
from ..db import db
from ..http.security import TRUSTED


class File(NamedTuple):
    """A file of the output: its path, its template, and what it has of its own."""

    path: str
    template: str
    own: Mapping[str, Any] = {}  # noqa: RUF012 # never changed


_COMPOSED = {"upstreams": ["bookapi:8000"], "server_name": "_"}
_IDENTITY = {
    "user_header": "Remote-User",
    "identity_provider": "http://127.0.0.1:9091/api/verify",
}
# By kind; the first one is printed where no folder is given.
FILES = {
    "nginx": (
        File("nginx/bookapi.conf", "nginx.conf"),
        File("nginx/subpath.conf", "nginx.conf", {"prefix": "/library"}),
        File("nginx/auth_request.conf", "nginx.conf", _IDENTITY),
    ),
    "systemd": (
        File("systemd/bookapi.service", "bookapi.service"),
        File("systemd/bookapi.socket", "bookapi.socket"),
        File("systemd/bookapi-backup.service", "bookapi-backup.service"),
        File("systemd/bookapi-backup.timer", "bookapi-backup.timer"),
    ),
    "compose": (
        File("compose.yaml", "compose.yaml", {"server_database": True}),
        File("compose.sqlite.yaml", "compose.yaml", {"server_database": False}),
        File("Containerfile", "Containerfile"),
        File("nginx/compose.conf", "nginx.conf", _COMPOSED),
    ),
    "haproxy": (
        File("haproxy/galera.cfg", "haproxy-galera.cfg"),
        File("haproxy/wsrep-ready", "wsrep-ready"),
    ),
}
DEFAULTS: dict[str, Any] = {
    "upstreams": ["unix:/run/bookapi.sock"],
    "server_name": "books.example.org",
    "http_port": 80,
    "https_port": 443,
    "prefix": "",
    "rate": 100,
    "certificate": "/etc/ssl/bookapi/bookapi",
    "cache_path": "/var/cache/nginx/bookapi",
    "identity_provider": None,
    "program": "/opt/bookapi/bin/bookapi",
    "workers": 2,
    "nodes": ["192.0.2.1:3306", "192.0.2.2:3306", "192.0.2.3:3306"],
    "bind": "127.0.0.1:3306",
    "check": "/etc/haproxy/wsrep-ready",
}


def render(
    kind: str, settings: Mapping[str, Any], server_database: bool = False, **options: Any
) -> dict[str, str]:
    """The files of a kind: path → text. `settings` are the application's, `options` override
    DEFAULTS.
    """
    templates = Environment(
        loader=PackageLoader("bookapi.site", "deploy"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 # configuration files, not HTML
    )
    hosts = [host.removeprefix(".") for host in settings["TRUSTED_HOSTS"]]
    values = {
        **DEFAULTS,
        **({"server_name": " ".join(hosts)} if hosts else {}),
        "cached": settings["PUBLIC_READ"],
        "max_body": settings["MAX_BODY_BYTES"],
        "max_import": settings["MAX_IMPORT_BYTES"],
        "user_header": settings["PROXY_USER_HEADER"],
        "server_database": server_database,
    }
    return {
        file.path: templates.get_template(f"{file.template}.j2").render(
            {**values, "file": file.path, **file.own, **options}
        )
        for file in FILES[kind]
    }


@command("genconfig")
@click.argument("kind", type=click.Choice([*FILES, "all"]))
@click.option("--directory", type=click.Path(file_okay=False), help="Write all files there.")
@click.option("--server-name", help="The public host name, for NGINX.")
@click.option("--prefix", help="The path below which NGINX serves it, such as /library.")
@click.option("--upstream", "upstreams", multiple=True, help="Where the service listens.")
@click.option("--program", help="The path of the command bookapi, for systemd.")
@click.option("--workers", type=int)
def genconfig(kind: str, directory: str | None, **options: Any) -> None:
    """Print the configuration of NGINX, systemd, containers or HAProxy from the settings in use.

    With --directory all files of the kind are written.
    """
    given = {name: value for name, value in options.items() if value}
    settings = {**current_app.config, "TRUSTED_HOSTS": current_app.extensions[TRUSTED]}
    on_server = db.dialect.file is None
    files: dict[str, str] = {}
    for each in FILES if kind == "all" else [kind]:
        files.update(render(each, settings, server_database=on_server, **given))
    if directory is None:
        if kind == "all":
            raise click.UsageError("--directory is needed for all files")
        # The first one, but for a composition on SQLite.
        first = FILES[kind][0 if on_server or kind != "compose" else 1]
        click.echo(files[first.path], nl=False)
        return
    for name, text in files.items():
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
        click.echo(path)
