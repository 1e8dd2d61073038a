"""Server processes, and raw requests to them."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from helpers.support import environment
from helpers.waiting import PATIENCE

SAFE_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


class Service:
    """A process that serves, and ways to talk to it."""

    def __init__(self, process, announced):
        self.process, self.announced = process, announced
        self.path = announced.removeprefix("serving on unix:") if "unix:" in announced else None
        if not self.path:
            host, _, port = announced.removeprefix("serving on http://").rpartition(":")
            self.address = (host, int(port))

    def connect(self):
        if not self.path:
            return socket.create_connection(self.address, PATIENCE)
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(PATIENCE)
        connected.connect(self.path)
        return connected

    def ask(self, request):
        """The whole answer to some bytes, until the service ends the connection."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):  # it may answer and go before all is sent
                connection.sendall(request)
            return read_to_end(connection)

    def get(self, path="/healthz"):
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())

    def children(self):
        """The ids of the worker processes, of those that are alive."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                number, rest = entry.parent.name, entry.read_text().rpartition(")")[2].split()
                if int(rest[1]) == self.process.pid and rest[0] != "Z":
                    found.append(int(number))
        return found

    def end(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


class Answer:
    """An answer taken apart; `whole`: its body has all the bytes that its headers promise."""

    def __init__(self, text):
        head, self.ended, self.body = text.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1]) if first.startswith("HTTP/1.") else None
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if self.headers.get("transfer-encoding") == "chunked":
            self.body, self.whole = unchunked(self.body)
        else:
            length = int(self.headers.get("content-length", -1))
            self.whole = bool(self.ended) and len(self.body) == length

    def json(self):
        return json.loads(self.body)


def unchunked(text):
    """The body, and whether its last chunk came."""
    parts = []
    while (size := int(text.partition(b"\r\n")[0] or b"0", 16)) and b"\r\n" in text:
        parts.append(text.partition(b"\r\n")[2][:size])
        text = text.partition(b"\r\n")[2][size + 2 :]
    return b"".join(parts), text == b"0\r\n\r\n"


def read_to_end(connection):
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return Answer(b"".join(parts))


@contextlib.contextmanager
def serving(folder, *arguments, **settings):
    """A service over this instance, until the block ends."""
    listen = [] if "--unix-socket" in arguments else ["--port", "0"]
    with (
        open(folder / "log", "ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "bookapi", "serve", *listen, *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(folder, **settings),
        ) as process,
    ):
        try:
            announced = process.stdout.readline().strip()
            assert announced.startswith("serving on "), (folder / "log").read_text()
            yield Service(process, announced)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def post(path, body, cookie=None, chunked=False, **headers):
    lines = {"Host": "a", "Content-Type": "application/json", "Connection": "close", **headers}
    lines.update({"Cookie": cookie} if cookie else {})
    lines.update({"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": len(body)})
    sent = (
        b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _parts(body)) + b"0\r\n\r\n"
        if chunked
        else body
    )
    return (
        f"POST {path} HTTP/1.1\r\n".encode()
        + "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        + b"\r\n"
        + sent
    )


def _parts(body):
    return [body[at : at + 10000] for at in range(0, len(body), 10000)]


def is_problem(answer, status):
    assert answer.status == status, answer.body[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status and answer.whole
    assert SAFE_HEADERS.items() <= answer.headers.items()
    return True
