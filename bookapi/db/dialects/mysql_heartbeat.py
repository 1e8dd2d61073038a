"""Notices a MySQL or MariaDB server that hangs: connections to it stay open, but nothing is
answered."""

import logging
import socket
import threading
import time
import weakref
from contextlib import suppress
from typing import Any

import pymysql

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0  # between two pings
SILENT_SECONDS = 2.0  # without an answer to a ping: the server hangs


class Heartbeat:
    """Pings the server all the time, on a connection of its own. While the server hangs, all other
    connections are shut down and new ones refused, so that no request waits for it, neither for a
    connection nor for an answer."""

    def __init__(self) -> None:
        self._hangs, self._lock = False, threading.Lock()
        self._sockets: weakref.WeakKeyDictionary[Any, socket.socket] = weakref.WeakKeyDictionary()

    def start(self, options: dict[str, Any]) -> None:
        """Begin to ping; `options`: how to connect."""
        limits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), SILENT_SECONDS)
        threading.Thread(
            target=self._watch, args=({**options, **limits},), name="heartbeat", daemon=True
        ).start()

    def connect(self, options: dict[str, Any]) -> Any:
        """A new connection of the driver. One by a unix socket is not shut down: for those, the
        driver takes no socket that is open already."""
        self._refuse_if_it_hangs()
        driver: Any = pymysql.connect(**options, defer_connect=True)
        opened = None if driver.unix_socket else _open(driver)
        if opened is not None:
            second = opened.dup()  # with TLS the driver makes another socket of the first
            weakref.finalize(driver, second.close)
            with self._lock:
                self._sockets[driver] = second
            self._refuse_if_it_hangs()  # noticed before it could be shut down
        driver.connect(opened)
        return driver

    def _refuse_if_it_hangs(self) -> None:
        if self._hangs:
            raise pymysql.err.OperationalError(2003, "the database server hangs")

    def _watch(self, options: dict[str, Any]) -> None:
        driver: Any = None
        while True:
            try:
                if driver is None or not driver.open:
                    driver = pymysql.connect(**options)
                driver.ping(reconnect=False)
                self._note(False)
            except pymysql.err.Error as error:
                self._note(isinstance(error.__context__, TimeoutError))
            time.sleep(PAUSE_SECONDS)

    def _note(self, hangs: bool) -> None:
        with self._lock:
            if hangs != self._hangs:
                log.error("the database server %s", "hangs" if hangs else "answers again")
            self._hangs = hangs
            waiting = list(self._sockets.values()) if hangs else []
        for each in waiting:
            with suppress(OSError):  # it was closed meanwhile
                each.shutdown(socket.SHUT_RDWR)


def _open(driver: Any) -> socket.socket:
    try:
        opened = socket.create_connection((driver.host, driver.port), driver.connect_timeout)
    except OSError as error:
        message = f"Can't connect to MySQL server on {driver.host!r} ({error})"  # as the driver
        raise pymysql.err.OperationalError(2003, message) from error
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened
