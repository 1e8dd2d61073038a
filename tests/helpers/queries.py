"""List queries over a catalogue, invented from a seed: the same ones each time, on any machine and
any day.
"""

from typing import NamedTuple
from urllib.parse import urlencode

from bookapi.books.queries.filters import FILTERS
from bookapi.books.queries.listing import FACETS
from bookapi.books.queries.sorting import SORTS
from bookapi.books.schemas import FIELDS
from helpers.known_texts import isbn10
from helpers.query_searches import Searches

SEED = 1815
TEXTS = (
    "title",
    "author",
    "publisher",
    "subject",
    "series",
)  # the filters by a text that is compared folded
PLAIN_SORTS = tuple(sign + name for name in SORTS if name != "relevance" for sign in ("", "-"))
RELEVANT_SORTS = (
    "relevance",
    "-relevance",
    "-relevance,title",
    "relevance,-published",
    "author,-relevance",
    "-relevance,-id",
    "relevance,updated_at",
    "-published,relevance",
    "title,relevance,-author",
)
NUMBERS = {
    "filters": 250,
    "search": 300,
    "sorts": 120,
    "pages": 80,
    "cursors": 100,
    "facets": 80,
    "fields": 20,
    "trash": 20,
    "mistakes": 30,
}


class Query(NamedTuple):
    """The parameters of a list, and the relations of the links to follow from there, one after the
    other.
    """

    parameters: tuple[tuple[str, str], ...]
    follow: tuple[str, ...] = ()

    def address(self, path="/books"):
        return f"{path}?{urlencode(self.parameters)}"


def generate(records, instants=(), seed=SEED):
    """The queries by what they are about. `records` lend the values, `instants` those of
    `updated_since`.
    """
    inventor = _Inventor(records, instants, seed)
    return {about: list(inventor.queries(about, number)) for about, number in NUMBERS.items()}


class _Inventor(Searches):
    def queries(self, about, number):
        """This many, each another one."""
        seen, turn = set(), 0
        while len(seen) < number:
            query = getattr(self, f"_about_{about}")(turn)
            turn += 1
            if query not in seen:
                seen.add(query)
                yield query

    def _about_filters(self, turn):
        names = [list(FILTERS)[turn % len(FILTERS)]]
        if self.chance(30):
            names.append(self.random.choice([name for name in FILTERS if name not in names]))
        return self._with_paging([pair for name in names for pair in self._filter(name)], 25, 20)

    def _about_search(self, turn):
        kinds = [name for name in dir(self) if name.startswith("_q_")]
        parameters = [("q", getattr(self, kinds[turn % len(kinds)])())]
        if self.chance(20):
            parameters += self._filter(self.random.choice(list(FILTERS)))
        return self._with_paging(parameters, 30, 20)

    def _about_sorts(self, turn):
        sort = PLAIN_SORTS[turn % len(PLAIN_SORTS)]
        if turn >= len(PLAIN_SORTS):
            sort = ",".join([sort, *self._other_keys(sort, self.random.randint(1, 2))])
        follow = self.random.choice([(), ("last",), ("last", "prev"), ("next", "next")])
        return Query((*self._any_condition(30), ("sort", sort), *self._limit(50)), follow)

    def _about_pages(self, turn):
        limit = self.random.choice([1, 2, 3, 7, 20, 33, 99, 100])
        last = -(-len(self.records) // limit)
        page = (1, last // 2, last - 1, last, last + 1, self.random.randint(1, last), 10**14)[
            turn % 7
        ]
        follow = self.random.choice(
            [(), ("next",), ("prev",), ("last", "prev", "prev"), ("first", "next")]
        )
        condition, sort = self._any_condition(40), self._sort(70)
        if any(name == "q" for name, _ in condition) and self.chance(40):
            sort = [("sort", self.random.choice(RELEVANT_SORTS))]
        return Query((*condition, *sort, ("limit", str(limit)), ("page", str(page))), follow)

    def _about_cursors(self, turn):
        condition = self._any_condition(80)
        sorts = (
            RELEVANT_SORTS
            if any(name == "q" for name, _ in condition) and self.chance(50)
            else PLAIN_SORTS
        )
        sort = sorts[turn % len(sorts)]
        if turn % 3 and sorts is PLAIN_SORTS:
            sort = ",".join([sort, *self._other_keys(sort, 1)])
        limit = self.random.choice(["1", "2", "3", "7", "100"])
        return Query(
            (*condition, ("sort", sort), ("limit", limit), ("cursor", "*")), ("next",) * 12
        )

    def _about_facets(self, turn):
        names = [FACETS[turn % len(FACETS)]]
        if self.chance(40):
            names = self.random.sample(FACETS, self.random.randint(2, len(FACETS)))
        return Query(
            (
                *self._any_condition(75),
                ("facets", ",".join(names)),
                ("limit", "1"),
                ("fields", "id"),
            )
        )

    def _about_fields(self, turn):
        names = self.random.sample(FIELDS, self.random.randint(1, len(FIELDS)))
        return Query((*self._any_condition(50), ("fields", ",".join(names)), *self._sort(50)))

    def _about_trash(self, turn):
        return Query(
            (("state", "deleted"), *self._any_condition(40), *self._sort(40), *self._limit(40))
        )

    def _about_mistakes(self, turn):
        mistake = MISTAKES[turn % len(MISTAKES)]
        return Query((*self._any_condition(50 if turn < len(MISTAKES) else 100), *mistake))

    # -- parts of queries

    def _other_keys(self, sort, number):
        names = [name for name in SORTS if name not in ("relevance", sort.lstrip("-"))]
        return [self.random.choice(("", "-")) + name for name in self.random.sample(names, number)]

    def _any_condition(self, percent):
        if not self.chance(percent):
            return []
        if self.chance(50):
            return self._filter(self.random.choice(list(FILTERS)))
        kinds = [name for name in dir(self) if name.startswith("_q_")]
        return [("q", getattr(self, self.random.choice(kinds))())]

    def _sort(self, percent):
        return [("sort", self.random.choice(PLAIN_SORTS))] if self.chance(percent) else []

    def _limit(self, percent):
        return (
            [("limit", self.random.choice(["1", "2", "5", "50", "100"]))]
            if self.chance(percent)
            else []
        )

    def _with_paging(self, parameters, sorted_percent, paged_percent):
        sort, follow = self._sort(sorted_percent), ()
        if any(name == "q" for name, _ in parameters) and sort and self.chance(50):
            sort = [("sort", self.random.choice(RELEVANT_SORTS))]
        if self.chance(paged_percent):
            limit = self.random.choice(["1", "3", "10"])
            parameters = [*parameters, ("limit", limit)]
            follow = self.random.choice(
                [("next", "next", "next"), ("last",), ("last", "prev"), ("next", "first")]
            )
            if self.chance(40):
                parameters, follow = [*parameters, ("cursor", "*")], ("next",) * 5
        return Query((*parameters, *sort), follow)

    def _filter(self, name):
        """A filter with one value or several, that books have or not."""
        if name in TEXTS:
            values = [
                self._absent(name) if self.chance(12) else self._spelt(self.one(name))
                for _ in range(self.random.choice((1, 1, 1, 2, 3, 20)))
            ]
            if self.chance(10):
                values.append(self._spelt(values[0]))
            return [(name, value) for value in values[:20]]
        return getattr(self, f"_filter_{name}")()

    def _filter_location(self):
        return [("location", "a shelf that no record names")]

    def _filter_call_number(self):
        return [("call_number", "823 AUS")]

    def _filter_isbn(self):
        return [("isbn", self._isbn())]

    def _filter_language(self):
        tags = [self.one("language") for _ in range(self.random.choice((1, 1, 2, 3)))]
        return [
            (
                "language",
                self.random.choice((tag, tag.upper(), tag.split("-")[0], "tlh", "en-AU", "eng")),
            )
            for tag in tags
        ]

    def _filter_identifier(self):
        found = self.one("identifier")
        return [
            (
                "identifier",
                found + "0" if self.chance(20) and not found.startswith("isbn:") else found,
            )
        ]

    def _filter_published_from(self):
        return [("published_from", self._year())]

    def _filter_published_to(self):
        return [("published_to", self._year())]

    def _filter_updated_since(self):
        return [("updated_since", self.random.choice(self.instants))]

    def _year(self):
        year = int(self.one("published")[:4].strip("-") or 0) + self.random.choice(
            (0, 0, 1, -1, 10)
        )
        return self.random.choice(
            (str(year), str(year), str(year), f"{year:04d}", "-720", "0", "9999")
        )

    def _isbn(self):
        number = self.random.choice(self.values["isbn"])
        if self.chance(15):
            return "9780000000002"
        spelt = [
            number,
            f"{number[:3]}-{number[3:]}",
            f" {number} ",
            number.replace("9", "9\u2010", 1),
        ]
        if number.startswith("978"):
            spelt += [isbn10(number), isbn10(number).lower()]
        return self.random.choice(spelt)


_NUMBER = "9780141439587"
MISTAKES = [
    tuple(pairs)
    for pairs in (
        [("page", "0")],
        [("limit", "101")],
        [("limit", "ten")],
        [("page", "1"), ("cursor", "*")],
        [("cursor", "nonsense")],
        [("cursor", "W10")],
        [("sort", "name")],
        [("sort", "title,-title")],
        [("sort", "relevance")],
        [("isbn", "9780141439588")],
        [("isbn", _NUMBER), ("isbn", _NUMBER)],
        [("language", "klingonese")],
        [("identifier", "lccn")],
        [("identifier", "isbn:123")],
        [("published_from", "12345")],
        [("published_to", "")],
        [("updated_since", "yesterday")],
        [("updated_since", "2024-02-30T00:00:00Z")],
        [("fields", "nothing")],
        [("facets", "title")],
        [("nonsense", "1"), ("limit", "0")],
        [("q", "a* b* c* d* e*")],
        [("q", "a " * 101)],
        [("q", "x" * 2001)],
        [("q", "a\x00b")],
        [("title", "")],
        [("author", "\ufffe")],
        [("state", "live")],
        [("title", str(number)) for number in range(21)],
    )
]
