"""Searches for queries: each `_q_…` is one kind of them."""

from helpers.known_texts import texts_of
from helpers.query_values import Values


class Searches(Values):
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
