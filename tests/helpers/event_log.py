"""Audit events as tests read them: rows of the table and lines of the log."""

import json
import re
from io import StringIO
from logging import StreamHandler

from bookapi.auth.models import Event
from helpers.instance import PASSWORD
from helpers.people import get, page, rows

CLIENT = {"REMOTE_ADDR": "192.0.2.7"}
REQUEST_ID = {"X-Request-ID": "find-me"}


class Lines:
    """What an application wrote to its log since the last call."""

    def __init__(self, app, form):
        [handler] = [handler for handler in app.logger.handlers if type(handler) is StreamHandler]
        self._stream, self._form, self._read = StringIO(), form, 0
        handler.setStream(self._stream)

    @property
    def whole(self):
        return self._stream.getvalue()

    def raw(self):
        read, self._read = self._read, len(self.whole)
        return self.whole[read:].splitlines()

    def __call__(self):
        """The events among the lines, as dicts with `message` for the action; a line that is none
        fails.
        """
        return [
            json.loads(line) if self._form == "json" else parse_line(line) for line in self.raw()
        ]

    def actions(self):
        return [line["message"] for line in self()]


_PAIR = re.compile(r' ([a-z_]+)="((?:[^"\\]|\\.)*)"')
_HEAD = re.compile(
    r"(?P<at>\S+T\S+) (?P<level>[a-z]+) (?:(?P<request_id>\S+) (?P<method>[A-Z]+) (?P<path>/\S*) )?"
    r"(?P<message>[a-z_]+)"
)


def parse_line(line):
    """The parts of an event's line of text: its head, then name="value" pairs and nothing else."""
    head = _HEAD.match(line)
    rest = line[head.end() :]
    assert _PAIR.sub("", rest) == "", line
    return {name: value for name, value in head.groupdict().items() if value} | dict(
        _PAIR.findall(rest)
    )


def newest(app, number=1):
    """The newest events, oldest first, without the fields that a test cannot know."""
    return [
        {
            name: getattr(event, name)
            for name in ("action", "username", "actor", "address", "request_id", "detail")
        }
        for event in rows(app, Event)[-number:]
    ]


def event_page(client, query="", name="json"):
    answer = get(client, f"/auth/events{query}", name)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return page(answer, "events")


def actions(app):
    return [event.action for event in rows(app, Event)]


def log_in(app, username="member", password=PASSWORD, **more):
    sent = {"username": username, "password": password, **more}
    return app.test_client().post("/auth/login", json=sent, headers=REQUEST_ID, environ_base=CLIENT)
