"""How long reads of a large catalogue take: makes the data, imports it, measures, prints a table.

    make bench-large N=100000
    python -m benchmarks.large --books 1000000 --folder /var/tmp/large    # kept, and used again

In this process, without a server and without cached responses. `the` is in 80 % of the books, `th*`
in more; a line of the median and the 95th percentile in milliseconds. With
`BOOKAPI_DATABASE_URL` the same on a server's database, which must be empty or hold these books.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bookapi import create_app
from bookapi.db import db
from bookapi.db.schema import upgrade_schema

from .large_books import Catalogue

SECONDS, MOST = 3, 100  # for a line, and requests at most
EN, A, FICTION = "language=en", "author=A. Common", "subject=Fiction"
SINCE = "updated_since=2020-01-01T00:00:00Z"
CURSORS = ("sort=author,title", A, f"{A}&sort=title", f"{EN}&sort=title", "q=word1", "q=the")
DECADE = "published_from=2000&published_to=2009"
FACETS = "facets=language,author,subject,decade"
LINES = [  # {half}: the page in the middle; {next}: the cursor after the first page
    "/books",
    "/books?page={half}",
    *[f"/books?sort={sort}" for sort in ("title", "-published", "author,title", "-updated_at")],
    *[f"/books?sort={sort}&page={{half}}" for sort in ("title", "-published", "author,title")],
    *[f"/books?{A}{more}" for more in ("", "&sort=title", "&sort=-published", f"&{EN}")],
    *[f"/books?{FICTION}{more}" for more in ("", "&sort=title", "&sort=-published", f"&{EN}")],
    *[f"/books?{EN}{more}" for more in ("", "&page={half}", "&sort=title")],
    *[f"/books?{each}&sort=title&page={{half}}" for each in (EN, A, FICTION, "q=the")],
    *[f"/books?{DECADE}{more}" for more in ("", "&sort=published", "&sort=title")],
    "/books?published_from=2000",
    f"/books?{SINCE}",
    *[f"/books?q={q}" for q in ("zuarxi", "word2", "word1", "the", '"of the"', "th*", "-word1")],
    *[f"/books?q={q}&sort=title" for q in ("word2", "word1", "the", "th*")],
    *[f"/books?q={q}&{more}" for q in ("word2", "word1", "the") for more in (EN, A)],
    "/books?isbn=9780000000019",
    *[f"/books?facets={kind}" for kind in ("language", "author", "subject", "decade")],
    f"/books?{FACETS}",
    *[f"/books?{FACETS}&{more}" for more in ("q=word2", "q=word1", "q=the", EN, SINCE)],
    *[f"/books?{more}&cursor={{next}}" for more in CURSORS],
    *[f"/books/{kind}s{sort}" for kind in ("author", "subject") for sort in ("", "?sort=-count")],
]


def _fill(app: Any, size: int, folder: Path) -> None:
    path = folder / "books.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps(book) + "\n" for book in Catalogue(size))
    begun = time.perf_counter()
    result = app.test_cli_runner().invoke(args=["books", "import", str(path)])
    if result.exit_code:
        raise SystemExit(result.output)
    seconds = time.perf_counter() - begun
    print(f"import: {seconds:.0f} s, {size / seconds:,.0f} records/s", file=sys.stderr)


def _measure(client: Any, address: str) -> list[float]:
    """Milliseconds of each request, after one to warm up."""
    times: list[float] = []
    end = time.monotonic() + SECONDS
    while len(times) <= MOST and (len(times) < 3 or time.monotonic() < end):
        begun = time.perf_counter()
        answer = client.get(address)
        times.append(1000 * (time.perf_counter() - begun))
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
    return sorted(times[1:])


def _report(app: Any, size: int) -> None:
    client = app.test_client()
    print(f"| {size:,} books, {db.engine.dialect.name} | median | 95 % |\n|---|---:|---:|")
    for line in LINES:
        address = line
        if "{half}" in line:
            total = client.get(line.replace("page={half}", "limit=20")).json["total"]
            address = line.replace("{half}", str(max(1, total // 40)))
        if "{next}" in line:
            address = client.get(line.replace("{next}", "*")).json["links"]["next"]
        times = _measure(client, address)
        late = times[min(len(times) - 1, int(len(times) * 0.95))]
        print(f"| `{line}` | {statistics.median(times):.1f} | {late:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--books", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the catalogue is or is to be kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(mode=0o700, exist_ok=True)
        values = {"INSTANCE_PATH": str(folder), "SECRET_KEY": os.urandom(32).hex()}
        app = create_app({**values, "ANSWER_CACHE_BYTES": 0, "QUERY_SECONDS": 600})
        with app.app_context():
            db.dialect.create_file()
            upgrade_schema(db.engine)
            if app.test_client().get("/books?limit=1").json["total"] != options.books:
                _fill(app, options.books, folder)
            _report(app, options.books)
            db.engine.dispose()


if __name__ == "__main__":
    main()
