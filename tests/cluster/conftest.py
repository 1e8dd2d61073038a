"""Throw-away database servers: one MariaDB, and a Galera cluster of three nodes behind HAProxy."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from bookapi.config import SETTINGS
from bookapi.site.genconfig import render
from helpers.nginx import free_port
from helpers.waiting import wait_until

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
GALERA = Path("/usr/lib/galera/libgalera_smm.so")
START = 120  # seconds; a node copies the state of another
ACCOUNTS = (
    "CREATE DATABASE books CHARACTER SET utf8mb4;"
    "CREATE USER books@'127.0.0.1' IDENTIFIED BY 'right'; GRANT ALL ON *.* TO books@'127.0.0.1';"
    "CREATE USER haproxy@'127.0.0.1'"
)


class Node:
    """A MariaDB server in a folder of its own."""

    def __init__(self, folder, number, options=()):
        self.folder, self.port, self._options = folder / f"node{number}", free_port(), options
        self.folder.mkdir()
        shutil.chown(self.folder, "mysql")
        self.process = None
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--user=mysql"]
            + ["--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
        )

    def start(self, *more):
        with open(self.folder / "stderr", "wb") as log:
            self.process = subprocess.Popen(
                ["mariadbd", "--no-defaults", f"--datadir={self.folder}/data", "--user=mysql"]
                + [f"--socket={self.folder}/s.sock", f"--pid-file={self.folder}/pid"]
                + [f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-networking=0"]
                + ["--skip-name-resolve", "--innodb-buffer-pool-size=64M"]
                + [f"--log-error={self.folder}/err.log", *self._options, *more],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        wait_until(lambda: self.is_ready() or self.process.poll() is not None, START)
        assert self.process.poll() is None, self.log()

    def log(self):
        logs = [self.folder / name for name in ("stderr", "err.log")]
        return "".join(path.read_text()[-3000:] for path in logs if path.exists())

    def ask(self, sql):
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.folder}/s.sock", "-u", "root", "-N"]
            + ["--connect-timeout=2", "-e", sql],
            capture_output=True,
            text=True,
        )
        return done.stdout.strip() if done.returncode == 0 else None

    def is_ready(self):
        found = self.ask("SHOW STATUS LIKE 'wsrep_ready'")
        return found is not None and (not self._options or found.endswith("ON"))

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


def _needs(*programs):
    for program in programs:
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
            pytest.skip(f"there is no {program} on this machine")


@pytest.fixture
def folder():
    """A folder that the user mysql may enter; those of pytest are root's alone."""
    with tempfile.TemporaryDirectory(prefix="bookapi-cluster-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def mariadb(folder):
    """One server with an empty database."""
    _needs("mariadbd")
    node = Node(folder, 1)
    node.start()
    node.ask(ACCOUNTS)
    yield node
    node.end()


def _galera_options(number, ports):
    address = ",".join(f"127.0.0.1:{port}" for port, _, _ in ports)
    replication, transfer, incremental = ports[number]
    timeouts = (
        "evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT5S;"
        "evs.inactive_check_period=PT0.5S"
    )
    return (
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
        "--innodb-flush-log-at-trx-commit=1",
        "--wsrep-on=ON",
        f"--wsrep-provider={GALERA}",
        f"--wsrep-cluster-address=gcomm://{address}",
        f"--wsrep-node-address=127.0.0.1:{replication}",
        f"--wsrep-sst-receive-address=127.0.0.1:{transfer}",
        "--wsrep-sst-method=rsync",
        f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{replication};"
        f"ist.recv_addr=127.0.0.1:{incremental};ist.recv_bind=127.0.0.1:{incremental};"
        f"gcache.size=32M;{timeouts}",
    )


@pytest.fixture
def galera(folder):
    """(three nodes, the port of HAProxy with deploy's file before them)"""
    _needs("mariadbd", "haproxy", "rsync", "socat")
    if not GALERA.exists():
        pytest.skip("there is no Galera on this machine (Debian: galera-4)")
    ports = [tuple(free_port() for _ in range(3)) for _ in range(3)]
    nodes = [Node(folder, number, _galera_options(number, ports)) for number in range(3)]
    with contextlib.ExitStack() as stack:
        for number, node in enumerate(nodes):
            stack.callback(node.end)
            node.start(*(["--wsrep-new-cluster"] if number == 0 else []))
        nodes[0].ask(ACCOUNTS)
        port = free_port()
        stack.enter_context(_haproxy(folder, nodes, port))
        yield nodes, port


@contextlib.contextmanager
def _haproxy(folder, nodes, port):
    made = render(
        "haproxy",
        DEFAULTS,
        nodes=[f"127.0.0.1:{node.port}" for node in nodes],
        bind=f"127.0.0.1:{port}",
        check=str(folder / "wsrep-ready"),
    )
    (folder / "check.cnf").write_text("[client]\nuser=haproxy\n")
    script = made["haproxy/wsrep-ready"].replace(
        "/etc/haproxy/wsrep-ready.cnf", str(folder / "check.cnf")
    )
    (folder / "wsrep-ready").write_text(script)
    (folder / "wsrep-ready").chmod(0o755)
    (folder / "galera.cfg").write_text(made["haproxy/galera.cfg"])
    command = ["/usr/sbin/haproxy", "-db", "-f", str(folder / "galera.cfg")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        time.sleep(4)  # two checks of each node
        assert process.poll() is None
        yield
        assert process.poll() is None, "HAProxy ended"
        process.terminate()
