"""The ETag of an export, which is not cached."""

from bookapi.books import queries
from helpers.caching import CHANGES, EXPORTS, TYPES, connections, import_books, tag_of
from helpers.instance import Auth


def test_the_etag_of_an_export_changes_with_every_change(editor, reader):
    tags = {address: [tag_of(reader.head(address))] for address in EXPORTS}
    for change in (*CHANGES.values(), import_books):
        change(editor)
        for address in EXPORTS:
            tags[address].append(tag_of(reader.get(address)))
            assert tag_of(reader.head(address)) == tags[address][-1]
    assert [len(set(of_one)) for of_one in tags.values()] == [2 + len(CHANGES)] * len(EXPORTS)


def test_the_etag_of_an_export_is_stable_without_changes(editor, reader, uncached):
    before = tag_of(reader.get("/books/export"))
    assert editor.patch("/books/1", json={"title": "Emma"}).json["version"] == 1
    assert editor.post("/books", json={}).status_code == 422
    Auth(editor).logout()
    assert [tag_of(client.get("/books/export")) for client in (reader, uncached)] == [before] * 2


def test_the_etag_of_an_export_depends_on_its_parameters(reader):
    addresses = [
        *EXPORTS,
        "/books/export?fields=isbn",
        "/books/export?sort=-title",
        "/books/export?q=emma",
        "/books/export?q=-emma",
        "/books/export?author=Victor+Hugo",
        "/books/export?language=en",
        "/books/export?title=Emma&title=Persuasion",
        "/books/export?published_from=1815",
        "/books/export?published_to=1815",
        "/books/export?q=%22emma%22+love",
    ]
    tags = [
        tag_of(reader.get(**asked))
        for address in addresses
        for asked in (
            {"path": address, "headers": {"Accept": media_type}} for media_type in TYPES.values()
        )
    ]
    assert len(set(tags)) == len(tags) == 4 * len(addresses)


def test_a_304_for_an_export_holds_no_connection(reader):
    tags = {address: tag_of(reader.head(address)) for address in EXPORTS}
    before = connections()
    for address, tag in [*tags.items()] * 5:
        assert reader.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert connections() <= before


def test_a_304_for_an_export_reads_no_book(reader, monkeypatch):
    tags, read, export = (
        {address: tag_of(reader.head(address)) for address in EXPORTS},
        [],
        queries.export,
    )

    def counted(listing):
        state, records = export(listing)
        return state, (read.append(record) or record for record in records)

    monkeypatch.setattr(queries, "export", counted)
    for address, tag in tags.items():
        assert reader.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert read == []
