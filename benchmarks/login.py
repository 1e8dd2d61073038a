"""Whether the time of a refused sign-in tells which names are accounts: `python -m
benchmarks.login`, or

    python -m benchmarks.login [--times N]

Names that nobody has, accounts with a wrong password, and disabled accounts with the right one are
tried in turns at a
real service, from ever other addresses and with so many names that nobody has to wait.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median

from .run import _within
from .servers import START_SECONDS, Failed, Instance, Server, on_cpus

UNKNOWN, WRONG, DISABLED = KINDS = ("unknown name", "wrong password", "disabled account")
EACH = 8  # tries at a name: fewer than make one wait
WARM_UP = 3  # tries of each kind
GOAL = 0.05  # by which the medians may differ
PASSWORD = "a long enough password"  # noqa: S105 # of throw-away accounts
_addresses = count()


class Client:
    """A connection that is kept; each request comes from another address."""

    def __init__(self, server: Server):
        self._connection = http.client.HTTPConnection(
            server.host, server.port, timeout=START_SECONDS
        )

    def send(self, method: str, path: str, document: dict, cookie: str = "") -> tuple[int, bytes]:
        """Status and body of the answer."""
        number = next(_addresses)
        self._connection.request(
            method,
            path,
            json.dumps(document),
            {
                "Content-Type": "application/json",
                "Cookie": cookie,
                "X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            },
        )
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def make_accounts(client: Client, cookie: str, number: int) -> None:
    """So many accounts that are active, and as many that are disabled."""
    for kind in (WRONG, DISABLED):
        for name in _names(kind, number):
            user = {"username": name, "password": PASSWORD}
            made = _done(client.send("POST", "/auth/users", user, cookie), 201)
            if kind == DISABLED:
                _done(
                    client.send(
                        "PATCH", f"/auth/users/{json.loads(made)['id']}", {"active": False}, cookie
                    ),
                    200,
                )


def _names(kind: str, number: int) -> list[str]:
    return [f"{kind.partition(' ')[0]:-<10}{at:05}" for at in range(number)]  # all of one length


def _done(answer: tuple[int, bytes], status: int) -> bytes:
    if answer[0] != status:
        raise Failed(f"an account could not be made: {answer[0]} {answer[1][:300]!r}")
    return answer[1]


def tries(times: int) -> Iterator[tuple[str, str]]:
    """(kind, name), each kind so many times; which one comes first changes, so that none is always
    behind another."""
    names = {kind: _names(kind, _needed(times)) for kind in KINDS}
    chance = random.Random(5)  # noqa: S311 # an order, no secret
    for at in range(times):
        for kind in chance.sample(KINDS, len(KINDS)):
            yield kind, names[kind][at // EACH]


def _needed(times: int) -> int:
    return -(-times // EACH)


def measure(client: Client, times: int) -> tuple[dict[str, list[float]], set[int]]:
    """The seconds of each try by kind, and every status that was answered."""
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    statuses = set()
    for kind, name in tries(times + WARM_UP):
        password = PASSWORD if kind == DISABLED else "a long enough guess..."
        begun = time.perf_counter()
        status, _ = client.send("POST", "/auth/login", {"username": name, "password": password})
        taken[kind].append(time.perf_counter() - begun)
        statuses.add(status)
    return {kind: every[WARM_UP:] for kind, every in taken.items()}, statuses


def report(taken: dict[str, list[float]], statuses: set[int]) -> int:
    """Print the table; the exit status: 0 where every try was a 401."""
    usual = median(taken[WRONG])
    print(f"| | tries | median ms | fastest ms | ÷ {WRONG} |\n|---|---:|---:|---:|---:|")
    for kind, every in taken.items():
        print(
            f"| {kind} | {len(every):,} | {median(every) * 1000:.2f} | {min(every) * 1000:.2f} | "
            f"{median(every) / usual:.3f} |"
        )
    apart = max(abs(median(every) / usual - 1) for every in taken.values())
    print(
        f"\nThe medians lie {apart:.1%} apart, {'within' if apart <= GOAL else 'BEYOND'} "
        f"the goal of {GOAL:.0%}."
    )
    if statuses != {401}:
        print(f"\n**STRANGE ANSWERS: {sorted(statuses - {401})}**")
    return int(statuses != {401})


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.login", description="Time refused sign-ins."
    )
    parser.add_argument(
        "--times",
        type=_within(int, 10, 100_000),
        default=200,
        metavar="N",
        help="of each kind (200)",
    )
    times = parser.parse_args(arguments).times
    allowed = sorted(os.sched_getaffinity(0))
    service, own = ({allowed[0]}, {allowed[1]}) if len(allowed) > 1 else (set(), set())
    with tempfile.TemporaryDirectory(prefix="bookapi-login-") as folder, on_cpus(own):
        instance = Instance(Path(folder), service)
        with (
            instance.serving(TRUSTED_PROXY="127.0.0.1") as server,
            contextlib.closing(Client(server)) as client,
        ):
            make_accounts(client, instance.sign_in(server), _needed(times + WARM_UP))
            return report(*measure(client, times))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
