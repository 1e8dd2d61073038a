"""List queries over a catalogue, invented from a seed: the same ones each time, on any machine and
any day.

And books that are hard for two databases to keep alike.
"""

import random
import unicodedata
from collections import Counter
from typing import NamedTuple
from urllib.parse import urlencode

from bookapi.books.fields import isbn
from bookapi.books.queries.filters import FILTERS
from bookapi.books.queries.listing import FACETS
from bookapi.books.queries.sorting import SORTS
from bookapi.books.schemas import FIELDS
from bookapi.text import words

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

# -- books that are hard to keep alike -------------------------------------------------

NASTY = [
    "\u0301",
    "\u200b",
    "\u202eabc\u202c",
    "a\u0301\u0327",
    "b\u0327\u0301",
    "ß",
    "SS",
    "ſ",
    "İ",
    "ı",
    "I",
    "i",
    "Ⅳ",
    "ﬃ",
    "Ǆ",
    "\u212b",
    "ΐ",
    "ς Σ",
    "æ",
    "AE",
    "ø",
    "ł",
    "þ",
    "日本語",
    "日本 語",
    "本日",
    "ｶﾞ",
    "ガ",
    "が",
    "각",
    "가\u11a8",
    "नमस्ते दुनिया",
    "ภาษาไทย",
    "שָׁלוֹם",
    "שלום",
    "العـربية",
    "عربية",
    "📚",
    "📚📚",
    "👩\u200d👩\u200d👧",
    "𝔸",
    "A",
    "\U0010fffd",
    "%",
    "_",
    "100%",
    "\\",
    "\\'",
    "'",
    "''",
    '"',
    '""',
    "`",
    "';--",
    "NULL",
    "0",
    "00",
    "1e3",
    "-1",
    "+x",
    "=1+1",
    "@x",
    "C",
    "C++",
    "C#",
    ".NET",
    "3.14",
    "AT&T",
    "O'Brien",
    "O’Brien",
    "OBrien",
    "rock-n-roll",
    "rock n roll",
    "a b",
    "a  b",
    "a\tb",
    "a\r\nb",
    "a\u00a0b",
    "a\u2028b",
    "a\x85b",
    "a\x7fb",
    "a|b",
    "a | b",
    "a:b",
    "<b>&amp;</b>",
    "]]>",
    "the",
    "the the",
    "to be or not to be",
    "und die",
    "www.com",
    "none",
    "bbb",
    "tqbbb",
    "aqnone",
    "z",
    "zz",
    "z00e9",
    "é",
    "zé",
    "AND",
    "a AND b",
    "NEAR(a b)",
    "a* -b",
    "-",
    "--",
    "x" * 83,
    "x" * 84,
    "x" * 90,
    "достопримечательность",
    "достопримечательный",
    "x" * 199 + "y",
    "9780141439587",
    "0-14-143958-0",
]
LONG = [
    "w" * 667 + "a",
    "w" * 699,
    "w" * 700,
    "w" * 701,
    "w" * 1999 + "a",
    "w" * 1999 + "b",
    "é" * 699,
    "é" * 700,
    "📚" * 1000,
    "語" * 2000,
    "a " * 999 + "b",
]


def nasty_books():
    """Books whose every text is one of these, and the next ones."""
    for number, text in enumerate(NASTY):
        other, third = NASTY[number - 1], NASTY[number - 2]
        yield {
            "title": text,
            "subtitle": other,
            "authors": [other, text, third],
            "publisher": text,
            "series": third,
            "subjects": [text, text.upper()[:200], other],
            "description": f"{third} {text}\n{other}",
            "language": ("en", "en-GB", "enm", "sr-Latn", None)[number % 5],
            "published": (None, "-0720", "-0001", "0001", "0009", "0010-05", "1999-12-31", "9999")[
                number % 8
            ],
            "identifiers": [
                {"scheme": f"odd-{number}", "value": other},
                {"scheme": "odd", "value": text},
            ],
        }
    for number, text in enumerate(LONG):
        yield {
            "title": text,
            "publisher": text[:500].strip(),
            "authors": [text[:500].strip()] if number % 2 else [],
        }


# -- what is known of a record ---------------------------------------------------------


def texts_of(record):
    """The texts of a record in which words are searched."""
    texts = (
        record["title"],
        record["subtitle"],
        *record["authors"],
        record["series"],
        record["publisher"],
        *record["subjects"],
        record["description"],
    )
    return [text for text in texts if text]


def isbns_of(record):
    """The ISBNs of a record, further ones too."""
    further = [other["value"] for other in record["identifiers"] if other["scheme"] == "isbn"]
    return [number for number in (record["isbn"], *further) if number]


def script(text):
    """The script of the first letter of a text, as the names of its characters begin: LATIN, CJK,
    HEBREW, …
    """
    letter = next((c for c in text if c.isalpha()), None)
    return unicodedata.name(letter, "NONE").split()[0].split("-")[0] if letter else None


def by_script(texts):
    """The texts in scripts other than Latin, by script."""
    found = {}
    for text in texts:
        found.setdefault(script(text), []).append(text)
    return {name: found[name] for name in sorted({*found} - {None, "LATIN", "NONE", "MODIFIER"})}


def isbn10(digits):
    """The ten digits of an ISBN that begins with 978."""
    total = sum(int(digit) * (10 - place) for place, digit in enumerate(digits[3:12]))
    return digits[3:12] + "0123456789X"[-total % 11]


def valid_isbn(text):
    """Whether a search takes the text for an ISBN."""
    try:
        return bool(isbn.parse(text))
    except ValueError:
        return False


# -- queries ---------------------------------------------------------------------------


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


class _Inventor:
    def __init__(self, records, instants, seed):
        self.random = random.Random(seed)
        self.records, self.instants = (
            records,
            [*instants, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00"],
        )
        self.values = {
            "title": [record["title"] for record in records],
            "author": [name for record in records for name in record["authors"]],
            "subject": [name for record in records for name in record["subjects"]],
            **{
                name: [record[name] for record in records if record[name]]
                for name in ("publisher", "series", "language", "published")
            },
            "isbn": [number for record in records for number in isbns_of(record)],
            "identifier": [
                f"{other['scheme']}:{other['value']}"
                for record in records
                for other in record["identifiers"]
            ],
        }
        texts = [text for record in records for text in texts_of(record)]
        counts = Counter(word for text in texts for word in words(text))
        self.common = [word for word, _ in counts.most_common(150)]
        self.rare = [word for word, count in counts.items() if count <= 2]
        self.some = [word for word, count in counts.items() if 2 < count <= 40]
        self.scripts = by_script(
            token for text in texts for token in text.split() if not token.isascii()
        )
        self.texts = [text for text in texts if len(words(text)) > 2]

    def queries(self, about, number):
        """This many, each another one."""
        seen, turn = set(), 0
        while len(seen) < number:
            query = getattr(self, f"_about_{about}")(turn)
            turn += 1
            if query not in seen:
                seen.add(query)
                yield query

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def one(self, name):
        """A value that books have; half the time each value is as likely as any other, however many
        books have it.
        """
        values = self.values[name]
        return self.random.choice(values if self.chance(50) else list(dict.fromkeys(values)))

    # -- what queries are about
    # -----------------------------------------------------------------------------------

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
    # -----------------------------------------------------------------------------------------

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

    def _spelt(self, text):
        """The text in a spelling that means the same: other case, other accents, other spaces."""
        folded = "".join(
            c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"
        )
        place = self.random.randrange(len(text) + 1)
        letter = text[place - 1 : place]
        accented = (
            text[:place] + "\u0301" + text[place:]
            if letter.isalpha() and letter.isascii()
            else text
        )
        made = self.random.choice(
            (
                text,
                text,
                text.lower(),
                text.upper(),
                text.swapcase(),
                folded,
                accented,
                unicodedata.normalize("NFD", text),
                text.replace(" ", "  "),
                f" {text}\t",
            )
        )
        return made if made.strip() else text

    def _absent(self, name):
        value = self.one(name)
        return self.random.choice(
            (
                value + "x",
                value[::-1] + "?",
                value[:-1] or "?",
                value + " %",
                "no book has this",
                value.replace("a", "_"),
                "\u0301",
                "%",
                "*",
                "日",
                "''",
                "\\",
            )
        )

    # -- searches ----------------------------------------------------------------------------------
    # ---------------

    def _adjacent(self, most):
        """Some words next to each other, as they are written somewhere."""
        parts = self.random.choice(self.texts).split()
        number = self.random.randint(1, min(most, len(parts)))
        start = self.random.randint(0, len(parts) - number)
        return " ".join(parts[start : start + number])

    def _q_word(self):
        return self._spelt(self._adjacent(1))

    def _q_common(self):
        return self.random.choice(self.common)

    def _q_rare(self):
        return self.random.choice(self.rare)

    def _q_some(self):
        return self._spelt(self.random.choice(self.some))

    def _q_commons(self):
        return " ".join(self.random.sample(self.common, self.random.randint(2, 4)))

    def _q_several_of_one_book(self):
        found = [
            word for text in texts_of(self.random.choice(self.records)) for word in text.split()
        ]
        return " ".join(self.random.sample(found, min(len(found), self.random.randint(2, 6))))

    def _q_phrase(self):
        return '"' + self._spelt(self._adjacent(5).replace('"', " ")) + self.random.choice('" ')

    def _q_phrase_in_other_quotes(self):
        return self.random.choice(("“{}”", "«{}»", "„{}“")).format(self._adjacent(4))

    def _q_phrase_across_texts(self):
        record = self.random.choice(self.records)
        return '"{} {}"'.format(
            record["title"].split()[-1], (record["authors"] or ["nobody"])[0].split()[0]
        )

    def _q_two_phrases(self):
        return f'"{self._adjacent(3)}" "{self._adjacent(2)}"'

    def _q_prefix(self):
        word = self.random.choice(self.random.choice((self.common, self.rare, self.some)))
        return word[: self.random.randint(1, len(word))] + "*"

    def _q_prefix_beside_words(self):
        word = self.random.choice(self.some)
        return (
            f"{self.random.choice(self.common)} {word[:3]}* {self.random.choice(self.common)[:2]}*"
        )

    def _q_exclusion(self):
        return f"{self.random.choice(self.common)} -{self.random.choice(self.common)}"

    def _q_exclusions(self):
        word = self.random.choice(self.common)
        prefix = self.random.choice(self.some)[:3]
        return f'{word} -"{self._adjacent(2)}" -{prefix}* -{self._adjacent(1)}'

    def _q_exclusions_alone(self):
        return " ".join(
            f"-{word}" for word in self.random.sample(self.common, self.random.randint(1, 3))
        )

    def _q_other_script(self):
        return self.random.choice(self.scripts[self.random.choice(list(self.scripts))])

    def _q_part_of_other_script(self):
        token = self._q_other_script()
        start = self.random.randrange(len(token))
        return token[start : start + self.random.randint(1, 3)] + self.random.choice(("", "*"))

    def _q_scripts_mixed(self):
        first, choices = self._q_other_script(), (self._q_other_script(), self._q_common())
        return f"{first} {self.random.choice(choices)}"

    def _q_isbn(self):
        return self._isbn()

    def _q_isbn_and_word(self):
        return f"{self.random.choice(self.values['isbn'])} {self.random.choice(self.common)}"

    def _q_title(self):
        return self._spelt(self.one("title"))[:1900]

    def _q_author(self):
        return self._spelt(self.one("author"))

    def _q_subject(self):
        return self._spelt(self.one("subject"))

    def _q_punctuation(self):
        word = self.random.choice(self.common)
        marks = (
            "",
            " ",
            "?",
            "…",
            "-",
            "--",
            '"',
            '""',
            '"-"',
            "*",
            "**",
            "-*",
            '-"',
            "+",
            "()",
            "~",
            "@",
            "%",
            "_",
            "'",
            "\\",
            "<>",
            "-()",
            "&",
            "a",
            "-a",
            "1",
            "\u0301",
            "📚",
        )
        return self.random.choice(marks) + self.random.choice(("", "", word))

    def _q_operators_of_engines(self):
        one, other = self.random.sample(self.common, 2)
        return self.random.choice(
            (
                f"{one} AND {other}",
                f"{one} OR {other}",
                f"NOT {one}",
                f"NEAR({one} {other})",
                f"+{one} +{other}",
                f"+{one} -{other}",
                f"({one} {other})",
                f">{one} <{other}",
                f"~{one}",
                f"{one}~ {other}",
                f"^{one}",
                f"words:{one}",
                f"{{words}}: {one}",
                f'"{one}"*',
                f'"{one} {other}" @4',
                f"{one}**",
                f"{one}*{other}",
                f"*{one}",
                f"-{one}-{other}",
                f"{one} - {other}",
                f'"{one} -{other}"',
                f"tq{one}",
                f"aq{one}*",
                "bbb",
                f"{one}'{other}",
                f"{one}/{other}",
                f"--{one} {other}",
                f'-"{one}*" {other}',
                f"rowid:1 {one}",
            )
        )

    def _q_the_same_word_again(self):
        word = self._adjacent(1).replace('"', "")
        return self.random.choice(
            (f"{word} {word}", f'"{word} {word}"', f"{word} -{word}", f"{word}* {word}")
        )


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
