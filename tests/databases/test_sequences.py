"""SQLite and MariaDB answer the same random sequences of requests with the same statuses and the
same bytes, but for instants and secrets.

`SEQUENCES` is their number; DATABASE_URL names the MariaDB.
"""

import os
import re

import pytest

from helpers.sequences import Inventor
from helpers.two_databases import two_databases

COUNT, SEED = int(os.environ.get("SEQUENCES", "60")), int(os.environ.get("SEQUENCES_SEED", "7"))
SHOWN = 5  # differences in a report
HEADERS = ("Content-Type", "Location", "ETag", "Link", "Allow", "Retry-After", "Vary")
HIDDEN = (
    re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"),
    re.compile(rb"(?<=-)20\d{18}(?=-)"),  # the instant in an ETag
    re.compile(rb"(?<=\")[0-9a-f]{32}(?=\")"),  # the ETag of what contains instants; a request's id
    re.compile(rb"(?<=\">)[^<]+(?= UTC</time>)"),
    re.compile(rb'(?<=name="csrf_token" value=")[^"]+'),
    re.compile(rb'(?<=name="idempotency_key" value=")[^"]+'),
)
CURSOR = re.compile(rb"(?<=cursor=)[^&\"<>;]+")  # contains an instant where a list is sorted by one


class Side:
    """One of the two databases, and the tags it gave."""

    def __init__(self, name, app, client):
        self.name, self._clients, self._tags = name, (app.test_client(), client), {}

    def answer(self, request):
        """The response to a request: status, headers, body."""
        headers, tags = dict(request.headers), self._tags.get(request.path, [])
        if request.match == "*" or (request.match and tags):
            known = {"*": "*", **({"latest": tags[-1], "first": tags[0]} if tags else {})}
            headers["If-Match"] = known[request.match]
        answer = self._clients[request.signed_in].open(
            request.path,
            method=request.method,
            data=request.body,
            content_type=request.kind,
            headers=headers,
        )
        tag = answer.headers.get("ETag")
        if tag and request.path.partition("?")[0] != "/books":
            self._tags.setdefault(request.path, []).append(tag)
        given = [f"{name}: {answer.headers.get(name)}" for name in HEADERS]
        return str(answer.status_code), *(
            _hidden(part, request.path)
            for part in ("\n".join(given).encode(), answer.get_data(), answer.location or "")
        )


def _hidden(text, path):
    text = text.encode() if isinstance(text, str) else text
    for pattern in HIDDEN:
        text = pattern.sub(b"...", text)
    return CURSOR.sub(b"...", text) if "ed_at" in path else text


def _difference(ours, theirs):
    """Where two answers differ, in a few words; None where they do not."""
    for one, other in zip(ours, theirs, strict=True):
        if one != other:
            at = next(
                (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
                min(len(one), len(other)),
            )
            around = slice(max(0, at - 80), at + 120)
            return f"at {at}:\n  SQLite  {one[around]!r}\n  MariaDB {other[around]!r}"
    return None


@pytest.mark.two_databases
def test_both_databases_answer_every_sequence_with_the_same_bytes(request, tmp_path):
    differences, statuses, asked, inventor = [], set(), 0, Inventor(SEED)
    with two_databases(request, tmp_path) as pair:
        sides = [Side(name, app, client) for name, app, client in pair]
        for number in range(COUNT):
            for step, made in enumerate(inventor.sequence()):
                ours, theirs = [side.answer(made) for side in sides]
                asked += 1
                statuses.add(ours[0])
                found = _difference(ours, theirs)
                if found and len(differences) < SHOWN:
                    differences.append(f"sequence {number}, step {step}: {made}\n{found}")
                if b"/books/" in ours[3]:
                    inventor.newest = max(inventor.newest, int(ours[3].rpartition(b"/")[2]))
    assert not differences, "\n".join(differences)
    print(f"{asked} requests, statuses {sorted(statuses)}")
    assert {"200", "201", "204", "400", "404", "409", "410", "412", "422"} <= statuses
