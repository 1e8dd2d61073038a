"""The files of deploy/ as the programs that read them see them (run with -m parts)."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bookapi.config import SETTINGS
from bookapi.site.genconfig import render
from helpers.instance import ROOT
from helpers.servers import Service
from helpers.support import bookapi, environment
from helpers.waiting import PATIENCE

pytestmark = pytest.mark.parts
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
SECONDS = 900  # installing all libraries on a busy machine


def _program(name):
    found = shutil.which(
        name,
        path=os.pathsep.join([str(Path(sys.executable).parent), "/usr/sbin", os.environ["PATH"]]),
    )
    return found or pytest.skip(f"there is no {name} on this machine")


def _run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, **more)


@pytest.fixture(params=[False, True], ids=["sqlite", "server"])
def units(request, tmp_path):
    """The units of systemd in a folder, with a program that exists."""
    settings = {"server_database": request.param, "program": sys.executable}
    for path, text in render("systemd", DEFAULTS, **settings).items():
        (tmp_path / Path(path).name).write_text(text)
    return tmp_path


def test_systemd_takes_the_units(units):
    verify = [_program("systemd-analyze"), "verify", "--man=no", "--recursive-errors=yes"]
    done = _run(*verify, *sorted(str(path) for path in units.iterdir()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["bookapi.service", "bookapi-backup.service"])
def test_systemd_gives_the_units_little_exposure(units, name):
    done = _run(_program("systemd-analyze"), "security", "--offline=yes", str(units / name))
    assert float(re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)[1]) <= 3


def test_hadolint_finds_nothing_in_the_containerfile():
    done = _run(_program("hadolint"), str(ROOT / "deploy" / "Containerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def test_haproxy_takes_its_file(tmp_path):
    made = render("haproxy", DEFAULTS, check=str(tmp_path / "wsrep-ready"))
    (tmp_path / "galera.cfg").write_text(made["haproxy/galera.cfg"])
    (tmp_path / "wsrep-ready").write_text(made["haproxy/wsrep-ready"])
    (tmp_path / "wsrep-ready").chmod(0o755)
    done = _run(_program("haproxy"), "-c", "-f", str(tmp_path / "galera.cfg"))
    assert done.returncode == 0, done.stderr
    assert _run("sh", "-n", str(tmp_path / "wsrep-ready")).returncode == 0


def test_a_socket_of_systemd_survives_a_restart(tmp_path):
    """As systemd starts it: the socket is the file descriptor 3, and LISTEN_PID the process."""
    assert bookapi(tmp_path, "init").returncode == 0
    path = str(tmp_path / "http.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(100)
        shell = 'exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
        command = ["sh", "-c", shell, "sh", sys.executable, "-m", "bookapi", "serve"]
        for _ in range(2):
            waiting = socket.socket(socket.AF_UNIX)
            waiting.connect(path)  # before the service is there
            waiting.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            with subprocess.Popen(
                command,
                stdin=listening,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(tmp_path),
            ) as process:
                announced = process.stdout.readline().strip()
                assert announced == f"serving on unix:{path}", process.stderr.read()
                waiting.settimeout(PATIENCE)
                assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")
                waiting.close()
                assert Service(process, announced).end() == 0


def _steps():
    """The RUN lines of the Containerfile."""
    text = (ROOT / "deploy" / "Containerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ")]


def test_the_steps_of_the_containerfile_make_a_service(tmp_path):
    """As a script, with folders of this test: the installed package makes its instance and runs."""
    source, target, instance = tmp_path / "src", tmp_path / "opt", tmp_path / "instance"
    shutil.copytree(ROOT / "bookapi", source / "bookapi")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "wsgi.py"):
        shutil.copy(ROOT / name, source)
    for name in ("requirements.txt", "requirements-sqlite.txt"):
        shutil.copy(ROOT / name, source)
    for step in _steps():
        script = step.replace("/opt/bookapi", str(target)).replace("/instance", str(instance))
        done = _run("sh", "-ec", script.replace("python -m", f"{sys.executable} -m"), cwd=source)
        assert done.returncode == 0, done.stderr[-2000:]
    variables = {"BOOKAPI_INSTANCE_PATH": str(instance), "PATH": os.environ["PATH"]}
    run = [str(target / "bin" / "bookapi")]
    done = _run(*run, "init", env=variables, cwd="/")
    assert done.returncode == 0 and "admin password: " in done.stdout
    # The templates and everything else that is no Python are in the package, too.
    made = _run(*run, "genconfig", "compose", env=variables, cwd="/")
    assert made.stdout == (ROOT / "deploy" / "compose.sqlite.yaml").read_text()
    assert _run(*run, "check", env=variables, cwd="/").returncode == 0
