"""The XSD, and that of the last release: tests/data/schemas/bookapi.xsd, with documents of that
release. At a release both are written anew (`bookapi schema`), never between.
"""

import pytest
from lxml import etree

from bookapi import create_app
from bookapi.books.results import CatalogueSchema
from bookapi.books.schemas import patch_schema
from bookapi.schemas import DOCUMENTS
from bookapi.site.contract import CONTRACT
from bookapi.site.contract.xsd import xsd
from helpers.instance import DATA
from helpers.validation import RELEASED, faults_in

DOCUMENTS_THEN = sorted((DATA / "schemas").glob("*.xml"))
GROUP = "<version>1</version><created_at>{0}</created_at><updated_at>{0}</updated_at>".format(
    "2026-01-31T12:00:00.000000Z"
)


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xsd")
    app = create_app({"INSTANCE_PATH": str(folder), "SECRET_KEY": "x" * 40})
    return app.extensions[CONTRACT].xsd


@pytest.mark.parametrize("path", DOCUMENTS_THEN, ids=lambda path: path.stem)
def test_documents_of_the_last_release_are_valid_today(today, path):
    document = etree.fromstring(path.read_bytes())
    assert faults_in(document, RELEASED) == faults_in(document, today) == []


def test_no_element_of_the_last_release_is_missing_or_elsewhere_today(today):
    """Each type has the elements that it had, in their order, those that are new behind them."""
    types = [
        {
            each.get("name"): [element.get("name") for element in each.iter("{*}element")]
            for each in etree.fromstring(text).iter("{*}complexType")
            if each.get("name")
        }
        for text in (RELEASED, today)
    ]
    for name, elements in types[0].items():
        now = types[1][name]
        assert [element for element in now if element in elements] == elements, name


@pytest.mark.parametrize(
    "inside, is_valid",
    [
        ("<title>a</title>", True),
        (f"<title>a</title><copies>0</copies>{GROUP}", True),
        (f"<title>a</title>{GROUP}<binding>cloth</binding><weight><g>1</g></weight>", True),
        ("<title>a</title><binding>cloth</binding>", False),
        (f"<binding>cloth</binding><title>a</title>{GROUP}", False),
        ("<pages>0</pages>", False),
        ("<pages>many</pages>", False),
        (f"<title>{'x' * 2001}</title>", False),
        ("<subtitle>a</subtitle><title>a</title>", False),
    ],
)
def test_a_book_may_end_with_what_later_versions_add(today, inside, is_valid):
    document = etree.fromstring(f"<book>{inside}</book>")
    assert (faults_in(document, today) == []) is is_valid


def test_a_field_that_is_added_behind_the_others_needs_no_change_of_clients(monkeypatch, today):
    """What the next version writes is valid by today's XSD, and what today's writes by the next."""
    book = DOCUMENTS["book"]
    later = type(book).from_dict({"binding": book.fields["edition"]}, name="Book")()
    monkeypatch.setitem(DOCUMENTS, "book", later)
    monkeypatch.setitem(DOCUMENTS, "catalogue", CatalogueSchema())
    following = xsd([("book", patch_schema)])
    assert b'name="binding"' in following
    old = etree.fromstring(f"<book><id>1</id><title>a</title>{GROUP}</book>")
    new = etree.fromstring(
        f"<book><id>1</id><title>a</title>{GROUP}<binding>cloth</binding></book>"
    )
    for document in (old, new):
        assert faults_in(document, today) == []
    assert faults_in(new, following) == []
