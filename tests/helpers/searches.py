"""A catalogue for the tests of the search, and what searches find in it."""

import json

from bookapi.text import words

# By a short name each; the ids count from 1 in this order.
BOOKS = {
    "emma": {
        "title": "Emma",
        "authors": ["Jane Austen"],
        "isbn": "0141439580",
        "language": "en-GB",
        "published": "1815-12",
        "publisher": "John Murray",
        "subjects": ["Fiction", "Love stories"],
    },
    "pride": {
        "title": "Pride and Prejudice",
        "subtitle": "A Novel in Three Volumes",
        "authors": ["Jane Austen"],
        "published": "1813",
        "language": "en",
        "publisher": "Egerton",
        "series": "World's Classics",
        "identifiers": [
            {"scheme": "isbn", "value": "978-1-4028-9462-6"},
            {"scheme": "lccn", "value": "cc"},
        ],
    },
    "about": {
        "title": "Jane's world",
        "authors": ["Emma Thompson"],
        "published": "1999",
        "language": "en",
        "description": "On the novels of Jane Austen, and of Emma in particular.",
    },
    "series": {
        "title": "Persuasion",
        "series": "Emma and others",
        "authors": ["Austen, Jane"],
        "publisher": "Murray",
    },
    "emmas": {
        "title": "Emma's  war",
        "authors": ["Deborah Scroggins"],
        "published": "2002",
        "language": "en",
    },
    "emma again": {
        "title": "EMMA!",
        "authors": ["Ford, Emma"],
        "language": "de",
        "published": "1960",
    },
    "mine": {"title": "Emma", "subtitle": "a manga", "description": "Emma, Emma, Emma: Emma."},
    "emile": {
        "title": "Émile, ou De l’éducation",
        "authors": ["Rousseau, Jean-Jacques"],
        "language": "fr",
        "published": "1762",
        "subjects": ["Éducation"],
    },
    "miserables": {"title": "Les Mise\u0301rables", "authors": ["Victor Hugo"], "language": "fr"},
    "strasse": {
        "title": "Die Straße",
        "authors": ["Günter Œrtel"],
        "description": "ﬁn de siècle, Łódź",
    },
    "war": {"title": "Война и мир", "authors": ["Лев Толстой"], "language": "ru"},
    "dream": {
        "title": "红楼梦",
        "authors": ["曹雪芹"],
        "language": "zh",
        "description": "又名《石头记》",
    },
    "cat": {
        "title": "吾輩は猫である",
        "authors": ["夏目漱石"],
        "language": "ja",
        "publisher": "ジョン・スミス社",
    },
    "vegetarian": {
        "title": "채식주의자",
        "authors": ["한강"],
        "language": "ko",
        "subjects": ["한국 문학"],
    },
    "mecca": {"title": "مَكْتَبَة كبيرة", "authors": ["نجيب محفوظ"], "language": "ar"},
    "shalom": {"title": "שָׁלוֹם רב", "authors": ["עמוס עוז"], "language": "he"},
    "thai": {"title": "ภาษาไทยง่าย", "authors": ["ชาติ กอบจิตติ"], "language": "th"},
    "hindi": {"title": "हिन्दी साहित्य का इतिहास", "authors": ["रामचन्द्र शुक्ल"], "language": "hi"},
    "greek": {"title": "Ὀδύσσεια", "authors": ["Ὅμηρος"], "language": "grc", "published": "-0720"},
    "signs": {
        "title": "C++ & C#: 100% _sure_ -- AT&T's \"near\" (not) 'so'",
        "subjects": ["C++", "a;b", "AND"],
    },
    "operators": {
        "title": "To be or not to be",
        "subtitle": "and near the end",
        "series": "distance 8",
    },
    "stop": {"title": "The Who: this is it", "authors": ["A. B."], "publisher": "of the"},
    "borders": {
        "title": "left",
        "subtitle": "right",
        "authors": ["alpha beta", "gamma delta"],
        "series": "one two",
        "publisher": "three four",
        "subjects": ["five six", "seven eight"],
        "description": "nine ten",
    },
    "quran": {"title": "The Qurʼān of Hawaiʻi"},
    "marks": {"title": "📚 → !?", "description": "…"},
    "zz": {"title": "zz z0065 zé", "subtitle": "pizza zoo"},
    "cell": {"title": "co\u00adoperation by\u200bpass", "description": "x² and ½"},
    "hidden": {
        "title": "Unsearched",
        "series_number": "hiddenword",
        "edition": "hiddenword",
        "language": "en",
        "identifiers": [{"scheme": "lccn", "value": "hiddenword"}],
        "cover_url": "https://hiddenword.example/",
    },
}
NAMES = list(BOOKS)
TRASH = {"title": "Emma in the trash", "authors": ["Jane Austen"], "isbn": "9780306406157"}


RELEVANT = {
    # The title itself; in the title; in the authors or the series; anywhere. Among equals the older
    # book first.
    "emma": ["emma", "emma again", "mine", "emmas", "about", "series"],
    "Emma!": ["emma", "emma again", "mine", "emmas", "about", "series"],
    '"emma"': ["emma", "emma again", "mine", "emmas", "about", "series"],
    "emma -war": ["emma", "emma again", "mine", "about", "series"],
    "emma's war": ["emmas"],
    "em*": ["emma", "emmas", "emma again", "mine", "emile", "about", "series"],
    "jane": ["about", "emma", "pride", "series"],
    "emma jane": ["emma", "about", "series"],
    "jane emma": ["emma", "about", "series"],
    "the": ["operators", "stop", "quran", "about"],
}


def found(client, q, **more):
    """What a search finds, in order: the names of the books."""
    answer = client.get("/books", query_string={"q": q, "limit": 100, **more})
    assert answer.status_code == 200, (q, answer.get_data())
    names = [NAMES[book["id"] - 1] for book in answer.json["books"]]
    assert answer.json["total"] == len(names)
    return names


def lacking(*unwanted):
    """The names of the books that have none of these words, wherever they are searched."""
    return [
        name
        for name in NAMES
        if not set(unwanted) & set(words(json.dumps(BOOKS[name], ensure_ascii=False)))
    ]
