"""What is remembered between requests: whatever an answer was made of, for as long as the catalogue is as it was."""

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from flask import Flask

OVERHEAD = 512  # bytes of an entry beyond what it is said to have


class Entry(NamedTuple):
    """A value, the state of the catalogue it holds for, and the bytes it takes."""

    mark: int
    value: Any
    size: int


class Memory:
    """At most `room` bytes of entries; the one that nobody asked for the longest goes first."""

    def __init__(self, room: int):
        self.room, self.used = room, 0
        self._entries: OrderedDict[Any, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Any) -> Entry | None:
        """The entry, whichever state it holds for: that is for the caller to compare."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: Any, mark: int, value: Any, size: int) -> None:
        """Remember a value made from what was read after the state was `mark`; `size`: its bytes and its key's."""
        size += OVERHEAD
        if size > self.room:
            return
        with self._lock:
            known = self._entries.pop(key, None)
            if known is not None:
                self.used -= known.size
            self._entries[key] = Entry(mark, value, size)
            self.used += size
            while self.used > self.room:
                _, oldest = self._entries.popitem(last=False)
                self.used -= oldest.size


def of(app: Flask) -> Memory:
    """The application's memory."""
    return app.extensions["bookapi.memory"]


def init_app(app: Flask) -> None:
    """Give the application its memory."""
    app.extensions["bookapi.memory"] = Memory(app.config["ANSWER_CACHE_BYTES"])
