"""Every known attack on every route with a body, in both formats, by a signed-in client.

No 5xx, no outgoing connection, no file revealed, no memory kept, and a response in time. The routes
are taken from the app: a new one is attacked from its first day.
"""

import gc
import itertools
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import select
from sqlalchemy.engine import make_url

from bookapi import create_app
from bookapi.auth import accounts, passwords
from bookapi.auth.models import User
from bookapi.db import db
from bookapi.http.endpoints import Access, declaration_of
from helpers import attack_json, attack_xml
from helpers.attack_documents import fields_of, valid
from helpers.attack_strings import STRINGS
from helpers.data import json_cases, naughty_strings, xml_attacks
from helpers.documents import INSIDE, TYPES, is_xml_text
from helpers.instance import PASSWORD, SECRET

pytestmark = pytest.mark.stress

SECONDS, TRIES = 0.2, 3  # of the processor's time; the best of three counts
WAITED = 10  # times that, by the clock: others may be at work beside these tests
A_RECORD = 1e-4  # seconds more for each record of an import, which may have any number
GROWTH = 10 * 1024 * 1024
ONE_IN = int(
    os.environ.get("ATTACKS_ONE_IN", "32")
)  # each attack goes to one route in so many; 1: to all of them
PAGE = 4096
PASSWD = re.compile("root:[^:]*:0:0:")
BODIES = {"POST", "PUT", "PATCH"}


def _routes():
    """(method, rule) of all that may read a body, of an application that is never used."""
    app = create_app({"INSTANCE_PATH": "/nowhere", "SECRET_KEY": SECRET})
    return sorted(
        (method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods & BODIES
    )


ROUTES = _routes()
every_route = pytest.mark.parametrize(
    "method, rule", ROUTES, ids=[" ".join(route) for route in ROUTES]
)


class Outside:
    """What was tried beyond this process while it was watched: connections, names to look up,
    programs.
    """

    def __init__(self, patch, database):
        self.tried, self._database = [], database
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(
                socket.socket,
                name,
                self._watched(getattr(socket.socket, name), lambda args: args[-1]),
            )
        patch.setattr(
            socket, "getaddrinfo", self._watched(socket.getaddrinfo, lambda args: args[:2])
        )
        patch.setattr(subprocess, "Popen", self._watched(subprocess.Popen, lambda args: args))

    def _watched(self, function, place):
        def watched(*args, **kwargs):
            where = place(args)
            if where[:2] == self._database:
                return function(*args, **kwargs)
            self.tried.append(where)
            raise ConnectionRefusedError("nothing is connected to in an attack")

        return watched


class Canary:
    """A listener on this machine and a file, which the attacks name and no parser may touch.
    `heard`: whether a connection came to the listener.
    """

    def __init__(self, folder):
        self.secret = "canary-3c1f9a"
        self.file = folder / "canary.txt"
        self.file.write_text(self.secret)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def heard(self):
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self):
        self._listener.close()


@pytest.fixture
def canary(tmp_path):
    made = Canary(tmp_path)
    yield made
    made.close()


@pytest.fixture
def outside(app, monkeypatch):
    url = make_url(app.config["DATABASE_URL"])
    return Outside(monkeypatch, (url.host, url.port or 3306))


class Attacker:
    """An admin who sends attacks to one route, and holds each answer to what is said above."""

    def __init__(self, app, method, rule, canary):
        self.app, self.method, self.rule, self._canary = app, method, rule, canary
        self.view = next(
            app.view_functions[found.endpoint]
            for found in app.url_map.iter_rules()
            if found.rule == rule and method in found.methods
        )
        self.place = ROUTES.index((method, rule))
        self.imports = declaration_of(self.view).imports
        self._numbers, self.statuses = itertools.count(1), set()
        self._sign_in()
        self.address = self._address()
        self.reads = (
            self._sent(b"\xff", "json").status_code == 400
        )  # whether it looks at a body at all

    def _sign_in(self):
        """As a new admin, for an attack may have ended the session, changed the password, or
        worse.
        """
        name = f"attacker {next(self._numbers)}"
        with self.app.app_context():
            db.write(accounts.add, name, passwords.make_hash(PASSWORD), "admin")
        self.client = self.app.test_client()
        answer = self._open("POST", "/auth/login", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def _open(self, method, address, **more):
        """From an address of its own each time, or a hundred failures would be too many."""
        number = next(self._numbers)
        peer = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return self.client.open(
            address, method=method, environ_overrides={"REMOTE_ADDR": peer}, **more
        )

    def _address(self):
        """The route's address, of a book and of a user that are there, and that is not who
        attacks.
        """
        made = self._open(
            "POST", "/books", json={"title": "attacked", "isbn": "9780306406157"}
        ).json
        with self.app.app_context():
            member = db.write(
                lambda session: session.scalar(select(User.id).where(User.username == "member"))
            )
        values = {"digits": "9780306406157", "book_id": str(made["id"]), "user_id": str(member)}
        return re.sub("<(?:[^:>]*:)?([^>]*)>", lambda found: values.get(found[1], "1"), self.rule)

    def roots(self):
        """The root elements of the documents that this route takes."""
        roots = ("catalogue",) if self.imports else getattr(self.view, "roots", None)
        return roots or (getattr(self.view, "root", "nothing"),)

    def _sent(self, body, name):
        answer = self._open(
            self.method,
            self.address,
            data=body,
            content_type=TYPES[name],
            headers={"Accept": TYPES[name]},
        )
        answer.get_data()
        return answer

    def __call__(self, body, name, what, *statuses):
        """The answer to a body of a format; `what` is the attack's name."""
        for _ in range(TRIES):
            answer, seconds = self._timed(body, name)
            if answer.status_code == 401 and declaration_of(self.view).access is not Access.ANYONE:
                self._sign_in()
                answer, seconds = self._timed(body, name)
                assert answer.status_code != 401, what
            self.check(answer, body, what)
            assert not statuses or answer.status_code in statuses, (
                what,
                answer.status_code,
                answer.get_data()[:500],
            )
            if seconds < self._allowed(body):
                break
        assert seconds < self._allowed(body), (what, seconds)
        self.statuses.add(answer.status_code)
        return answer

    def _timed(self, body, name):
        begun, worked = time.perf_counter(), time.thread_time()
        answer = self._sent(body, name)
        return answer, max(time.thread_time() - worked, (time.perf_counter() - begun) / WAITED)

    def _allowed(self, body):
        """Seconds. The records of an import stand between commas or are elements."""
        records = max(body.count(b","), body.count(b"/>") + body.count(b"</"))
        return SECONDS + (A_RECORD * records if self.imports else 0)

    def check(self, answer, body, what):
        """Fails for an answer that is a failure of ours, is not well-formed, or tells what is
        inside.
        """
        reported = answer.get_data()
        assert answer.status_code < 500, (what, reported)
        if reported:
            assert (
                json.loads(reported)
                if "json" in answer.mimetype
                else len(etree.fromstring(reported))
            ), what
        assert answer.status_code < 400 or answer.mimetype.startswith("application/problem+"), what
        text = reported.decode()
        assert not PASSWD.search(text) and self._canary.secret not in text, what
        inside = (
            {found.lower() for found in INSIDE.findall(text)}
            if answer.status_code >= 400
            else set()
        )
        assert not inside or all(found in _plain(body) for found in inside), (what, text)
        assert str(self._canary.file.parent) not in text or b"canary.txt" in body, what


def _plain(body):
    """About what a body says, whatever its encoding: what of it comes back in an answer tells
    nothing of the inside.
    """
    return body.replace(b"\0", b"").decode("latin-1").lower()


def _resident():
    """The bytes of memory that this process has; 0 where the system does not tell."""
    gc.collect()
    reported = Path("/proc/self/statm")
    return int(reported.read_text().split()[1]) * PAGE if reported.exists() else 0


@pytest.fixture
def attacker(app, canary, method, rule):
    return Attacker(app, method, rule, canary)


def test_the_attacked_routes_exist():
    there = {f"{method} {re.sub('<[^>]*>', '…', rule)}" for method, rule in ROUTES}
    assert {
        "POST /auth/login",
        "POST /auth/password",
        "POST /books",
        "POST /books/import",
        "PUT /books/isbn/…",
        "PUT /books/…",
        "PATCH /books/…",
    } <= there


@pytest.mark.parametrize("make", [attack_xml.in_xml, attack_json.in_json])
def test_attack_names_are_unique(make, canary):
    names = [name for name, _ in make("book", canary)]
    assert len(names) > 200
    assert len(set(names)) == len(names), sorted(
        name for name in set(names) if names.count(name) > 1
    )


def test_the_outbound_watcher_detects_connections(outside, canary):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("books.example", 80), timeout=1)
    with pytest.raises(ConnectionRefusedError), socket.socket() as tried:
        tried.connect(("127.0.0.1", 9))
    assert outside.tried == [("books.example", 80), ("127.0.0.1", 9)] and not canary.heard()


def test_the_canary_detects_visitors(canary):
    host, port = canary.address.split(":")
    socket.create_connection((host, int(port))).close()
    assert canary.heard() and not canary.heard()


def _share(things, attacker):
    """Those of the things that this route gets; one that reads no body needs few to show it."""
    return list(things)[attacker.place % ONE_IN :: ONE_IN if attacker.reads else 10 * ONE_IN]


def _documents(attacker, canary):
    """(format, what, body) of the attacks that this route gets."""
    for name, make in (("json", attack_json.in_json), ("xml", attack_xml.in_xml)):
        for root in attacker.roots():
            yield from (
                (name, f"<{root}> {what}", body)
                for what, body in _share(make(root, canary), attacker)
            )


@every_route
def test_no_attack_breaks_a_route(attacker, outside, canary):
    documents, resident = list(_documents(attacker, canary)), []
    for _ in range(2):  # the first round warms up
        for name, what, body in documents:
            attacker(
                body, name, what, *((400, 429) if attacker.reads and "> doctypes:" in what else ())
            )
        resident.append(_resident())
    assert resident[1] - resident[0] < GROWTH, resident
    assert not attacker.reads or attacker.statuses & {400, 422}
    for name in ("json", "xml"):
        _send_texts(attacker, _share(STRINGS, attacker), name)
    assert not outside.tried and not canary.heard()


def _send_texts(attacker, texts, name):
    """Each text in all fields at once, and in one field of a document that is right."""
    root = attacker.roots()[0]
    fields = fields_of(root)
    for at, text in enumerate(texts):
        field, whole = fields[at % len(fields)], valid(root)
        alone = {**whole, field: [text] if isinstance(whole.get(field), list) else text}
        for document in (dict.fromkeys(fields, text), alone):
            if name == "json" or is_xml_text(text):
                body = (
                    json.dumps(document).encode()
                    if name == "json"
                    else etree.tostring(_element(root, document))
                )
                attacker(body, name, text)


def _element(tag, value):
    """A document of any shape in XML, right or not."""
    element = etree.Element(tag)
    if isinstance(value, dict):
        element.extend(_element(key, inner) for key, inner in value.items())
    elif isinstance(value, list):
        element.extend(_element(tag.removesuffix("s") or "item", inner) for inner in value)
    else:
        element.text = str(value)
    return element


@every_route
def test_known_attack_collections_break_no_route(attacker, outside, canary):
    for path in _share(xml_attacks(), attacker):
        body = path.read_bytes()
        attacker(
            body, "xml", path.name, *((400, 429) if attacker.reads and b"<!DOCTYPE" in body else ())
        )
    for case in _share(json_cases(), attacker):
        attacker(
            case["input"].encode("utf-8", "surrogatepass"),
            "json",
            case["name"],
            *(
                (400, 429)
                if attacker.reads and case["expect"] == "reject" and not attacker.imports
                else ()
            ),
        )
    for name in ("json", "xml"):  # each of these strings to one route: there are many
        _send_texts(attacker, naughty_strings()[attacker.place :: len(ROUTES)][::ONE_IN], name)
    assert not outside.tried and not canary.heard()
