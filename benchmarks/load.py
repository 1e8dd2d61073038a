"""Load on a server: by wrk where it is installed, else by `loader.py`.

Requests are whole HTTP requests as text, sent in turn over and over; `ISBN` in one is replaced by
a new ISBN each time.
"""

import http.client
import json
import resource
import shutil
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import NamedTuple

from .books import ISBN, new_isbn
from .servers import ROOT, Failed, Server

CONNECTIONS = 16
PATIENCE = 30  # seconds that an answer may take
RUN_ISBNS = 1_000_000  # that each run has to itself: more than it can send
_runs, _numbers = count(1), count()  # the numbers of the first million are for single requests


class Result(NamedTuple):
    """One run: answers, those a second, latencies in milliseconds, bad answers, the loader's share
    of a processor."""

    answers: int
    rate: float
    p50: float
    p99: float
    bad: int
    busy: float


def wrk_there() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def ask(server: Server, request: str) -> tuple[int, str, bytes]:
    """Status, media type and body of one request's answer."""
    with socket.create_connection((server.host, server.port), PATIENCE) as connection:
        connection.sendall(request.replace(ISBN, new_isbn(next(_numbers))).encode("ascii"))
        with http.client.HTTPResponse(connection, method=request.partition(" ")[0]) as answer:
            answer.begin()
            return answer.status, answer.headers["Content-Type"], answer.read()


def run(server: Server, requests: list[str], seconds: float, folder: Path, wrk: bool) -> Result:
    """Load the server for some seconds; wrk knows whole seconds only."""
    first = next(_runs) * RUN_ISBNS
    if wrk:
        script, whole = folder / "load.lua", max(1, round(seconds))
        script.write_text(
            _LUA.format(requests=",\n".join(map(json.dumps, requests)), isbn=ISBN, first=first)
        )
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{whole}s",
            "--timeout",
            f"{PATIENCE}s",
            "-s",
            str(script),
            f"http://{server.host}:{server.port}",
        ]
    else:
        plan = folder / "load.json"
        plan.write_text(
            json.dumps([server.host, server.port, requests, CONNECTIONS, seconds, first])
        )
        command = [sys.executable, "-m", "benchmarks.loader", str(plan)]
    used = _children_seconds()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 3 * PATIENCE
    )
    used = _children_seconds() - used
    if done.returncode:
        raise Failed(f"the loader failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    answers, took, p50, p99, bad = json.loads(done.stdout.splitlines()[-1])
    return Result(answers, answers / took, p50, p99, bad, min(1.0, used / took))


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_LUA = """
local requests = {{
{requests}
}}
local turn, number = 0, {first}

local function isbn(n)
  local twelve, sum = string.format("97%.0f", 9100000000 + n), 0
  for place = 1, 12 do sum = sum + twelve:sub(place, place) * (place % 2 == 1 and 1 or 3) end
  return twelve .. (-sum) % 10
end

local rotating = {{}}
for place, text in ipairs(requests) do rotating[place] = text:find("{isbn}", 1, true) end

request = function()
  turn = turn % #requests + 1
  if not rotating[turn] then return requests[turn] end
  number = number + 1
  return (requests[turn]:gsub("{isbn}", isbn(number)))
end

done = function(summary, latency)
  local e = summary.errors
  print(string.format("[%d, %f, %f, %f, %d]", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, e.connect + e.read + e.write +
    e.status + e.timeout))
end
"""
