"""Filters by years and by instants. docs/api.md, Filters."""

from datetime import UTC, datetime, timedelta, timezone

from helpers.documents import faults, ids
from helpers.filters import SHELF, YEARS, names

# -- years -------------------------------------------------------------------------------


def test_published_from_and_to_are_inclusive_and_may_be_bc(shelf):
    assert {query: names(shelf.get(f"/books?{query}")) for query in YEARS} == YEARS


# -- instants ----------------------------------------------------------------------------


def stamps(client):
    return [
        datetime.fromisoformat(book["updated_at"])
        for book in client.get("/books?limit=100").json["books"]
    ]


def written(instant, style):
    local = instant.astimezone(timezone(timedelta(hours=5, minutes=30)))
    west = instant.astimezone(timezone(-timedelta(hours=9, minutes=30)))
    plain = instant.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {
        "Z": f"{plain}Z",
        "z": f"{plain}z".replace("T", "t"),
        "no T": f"{plain}Z".replace("T", " "),
        "+00:00": f"{plain}+00:00",
        "-00:00": f"{plain}-00:00",
        "space": f"{plain} 00:00",
        "east": local.isoformat(),
        "west": west.isoformat(),
        "nine digits": f"{plain}000Z",
    }[style]


STYLES = ("Z", "z", "+00:00", "-00:00", "space", "east", "west", "no T", "nine digits")


def test_updated_since_accepts_every_timestamp_form_and_is_inclusive(shelf):
    shelf.patch("/books/3", json={"pages": 7})
    at = stamps(shelf)[2]
    for instant, wanted in ((at, ["zero"]), (at + timedelta(microseconds=1), [])):
        reported = {
            style: shelf.get("/books", query_string={"updated_since": written(instant, style)})
            for style in STYLES
        }
        assert {style: names(answer) for style, answer in reported.items()} == dict.fromkeys(
            STYLES, wanted
        )


def test_an_unencoded_plus_in_a_timestamp_is_a_plus(shelf):
    # +10:00 is ten hours earlier than the clock says: everything here was updated since.
    now = datetime.now(UTC)
    assert len(
        names(shelf.get(f"/books?updated_since={now:%Y-%m-%dT%H:%M:%S}+10:00&limit=100"))
    ) == len(SHELF)
    assert names(shelf.get(f"/books?updated_since={now:%Y-%m-%dT%H:%M:%S}-10:00")) == []


INSTANTS = {
    "2016-12-31T23:59:60Z": 11,
    "2016-12-31T23:59:60.5Z": 11,
    "1990-12-31T15:59:60-08:00": 11,
    "2000-01-01T00:00:00Z": 11,
    "0001-01-01T00:00:00Z": 11,
    "9999-12-31T23:59:59Z": 0,
    "2999-01-01T00:00:00.5Z": 0,
    "9999-12-31T23:59:59.999999999Z": 0,
    "2024-02-29T12:00:00.1Z": 11,
    "2000-01-01T00:00:00+23:59": 11,
    "2000-01-01t00:00:00z": 11,
    "2000-01-01 00:00:00Z": 11,
}
NO_INSTANTS = [
    "",
    " ",
    "now",
    "2024",
    "2024-01-31",
    "2024-01-31T12:00:00",
    "2024-01-31T12:00Z",
    "2024-01-31T12:00:00+0200",
    "2024-13-01T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "2024-01-31T24:00:00Z",
    "2024-01-31T12:60:00Z",
    "2024-01-31T12:00:61Z",
    "2024-01-31T12:00:00.Z",
    "2024-01-31T12:00:00,5Z",
    "2024-01-31T12:00:00+24:00",
    "2024-01-31T12:00:00+02:60",
    "2024-01-31T12:00:00+2:00",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:60Z",
    "-2024-01-31T12:00:00Z",
    "20240131T120000Z",
    "2024-W05-3T12:00:00Z",
    "2024-1-31T12:00:00Z",
    "٢٠٢٤-01-31T12:00:00Z",
    "2024-01-31T12:00:00Zx",
    "x2024-01-31T12:00:00Z",
    "1706702400",
    "2024-01-31T12:00:00Z\n",
    "2024-01-31T12:00:00\u221202:00",
    "2024-01-31T12:00:00Z\0",
    "2024-01-31T12:00:00 Z",
    "2024-01-31T12:00:00.5.5Z",
    "2024-01-31T12:00:00" + "." + "9" * 5000,
]


def test_timestamps_of_all_years_are_accepted(shelf):
    reported = {
        text: shelf.get("/books", query_string={"updated_since": text}) for text in INSTANTS
    }
    assert {text: answer.json["total"] for text, answer in reported.items()} == INSTANTS


def test_invalid_timestamp_is_rejected(client):
    reported = {
        text: client.get("/books", query_string={"updated_since": text}) for text in NO_INSTANTS
    }
    assert {
        text: answer.status_code for text, answer in reported.items() if answer.status_code != 400
    } == {}
    assert {fault for answer in reported.values() for fault in faults(answer)} == {"updated_since"}


def test_updated_since_finds_changes_and_deletions_are_in_the_trash(shelf):
    before = max(stamps(shelf)) + timedelta(microseconds=1)
    shelf.patch("/books/4", json={"pages": 1})
    shelf.patch("/books/5", json={"title": "Łódź"})  # as it was: no change
    shelf.delete("/books/6")
    query = {"updated_since": written(before, "Z")}
    assert names(shelf.get("/books", query_string=query)) == ["one"]
    # The three of the trash were thrown away behind the last book was stored.
    assert (
        ids(shelf.get("/books", query_string={**query, "state": "deleted", "sort": "-updated_at"}))[
            0
        ]
        == 6
    )
