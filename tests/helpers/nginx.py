"""A throw-away NGINX in front of a service."""

import contextlib
import http.client
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
from types import SimpleNamespace

from bookapi.config import SETTINGS
from bookapi.site.genconfig import render
from helpers.instance import DATA
from helpers.waiting import PATIENCE, wait_until

NGINX = shutil.which(
    "nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
)
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_port():
    """A port below those that the system gives to outgoing connections: thousands of clients would
    take it before NGINX does.
    """
    while True:
        port = random.randint(15_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port


def _around(inner):
    """What belongs around a file for conf.d."""
    temporary = "".join(f"{name}_temp_path {name};\n" for name in TEMPORARY)
    user = "user root;\n" if os.geteuid() == 0 else ""  # the folders of the tests are root's alone
    return (
        f"{user}daemon off; pid nginx.pid; error_log error.log; worker_processes 1;\n"
        "events { worker_connections 4096; }\n"
        f"http {{\naccess_log off;\n{temporary}{inner}\n}}\n"
    )


def _certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", "bookapi.key"]
        + ["-out", "bookapi.pem"],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@contextlib.contextmanager
def fronted(folder, upstreams, name="bookapi.conf", settings=None, **options):
    """An NGINX with a file of deploy/ before these upstreams, until the block ends: `https(…)` asks
    it, `port` is its.
    """
    folder.mkdir()
    folder.chmod(0o755)
    _certificate(folder)
    ports = {"http_port": free_port(), "https_port": free_port()}
    made = render(
        "nginx",
        {**DEFAULTS, **(settings or {})},
        **{
            "upstreams": upstreams,
            "server_name": "localhost",
            "certificate": str(folder / "bookapi"),
            "cache_path": str(folder / "cache"),
            "rate": 10_000,
            **ports,
            **options,
        },
    )
    (folder / "nginx.conf").write_text(
        _around(made[f"nginx/{name}"].replace("rate=2r/s", "rate=200r/s"))
    )
    command = [NGINX, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            wait_until(lambda: _listens(ports["https_port"]) or process.poll() is not None)
            assert process.poll() is None, process.stderr.read()
            yield SimpleNamespace(
                https=lambda *args, **more: ask(ports["https_port"], *args, **more),
                port=ports["https_port"],
                http_port=ports["http_port"],
                folder=folder,
            )
        finally:
            process.terminate()


@contextlib.contextmanager
def plain_nginx(folder, upstream):
    """The address of an NGINX with tests/data/nginx.conf.template before this service, until the
    block ends.
    """
    template = (DATA / "nginx.conf.template").read_text()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        where = f"127.0.0.1:{listening.getsockname()[1]}"
        (folder / "nginx.conf").write_text(
            template.replace("@LISTEN@", where).replace("@SERVICE@", upstream)
        )
        # NGINX takes the socket over, as at its own upgrade: no other process can take the port
        listening.set_inheritable(True)
        process = subprocess.Popen(
            [NGINX, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"],
            pass_fds=(listening.fileno(),),
            env={"NGINX": f"{listening.fileno()};"},
        )
    try:
        yield f"http://{where}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def connection(port):
    return http.client.HTTPSConnection("localhost", port, timeout=30, context=UNVERIFIED)


def ask(port, path, method="GET", body=None, on=None, **headers):
    """An answer with its status, headers and body; `_` in the names of headers are `-`."""
    asked = on or connection(port)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    asked.request(method, path, body, sent)
    answer = asked.getresponse()
    content = answer.read()
    if on is None:
        asked.close()
    return SimpleNamespace(
        status=answer.status,
        headers=answer.headers,
        body=content,
        json=lambda: json.loads(content),
    )
