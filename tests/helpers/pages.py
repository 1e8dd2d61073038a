"""Pages as a browser asks for them, and their forms."""

from lxml import etree

from helpers.instance import PASSWORD

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
BROWSER = {"Accept": CHROME, "Sec-Fetch-Site": "same-origin"}
EMMA = {"title": "Emma", "authors": ["Jane Austen"], "isbn": "9780141439587", "language": "en"}


def page(client, address, **headers):
    return client.get(address, headers={**BROWSER, **headers})


def parsed(answer):
    return etree.HTML(answer.text)


def form_of(answer, action):
    """{name: value} of the fields of the form that posts to an address."""
    [form] = parsed(answer).xpath(f'//form[@action="{action}"]')
    fields = {}
    for field in form.xpath(".//*[@name][not(self::button)]"):
        if field.tag == "textarea":
            fields[field.get("name")] = (field.text or "").removeprefix("\n")
        elif field.tag == "select":
            [*chosen] = field.xpath("./option[@selected]") or field.xpath("./option[1]")
            fields[field.get("name")] = chosen[0].get("value")
        elif field.get("type") != "file":
            fields[field.get("name")] = field.get("value", "")
    return fields


def send(client, shown_at, action, **typed):
    """Send the form of a page as a browser does, with what is typed into it."""
    fields = {**form_of(page(client, shown_at), action), **typed}
    return client.post(action, data=fields, headers=BROWSER)


def alert(answer):
    [found] = parsed(answer).xpath('//*[@role="alert"]')
    return " ".join("".join(found.itertext()).split())


def error_at(answer, name):
    """The error that a field names by aria-describedby."""
    [field] = parsed(answer).xpath(f'//*[@name="{name}"][@aria-invalid="true"]')
    [text] = parsed(answer).xpath(f'//*[@id="{field.get("aria-describedby").split()[0]}"]')
    return text.text


def sign_in(client, username="admin", next="/", **typed):
    fields = {"username": username, "password": PASSWORD, **typed}
    return send(client, f"/auth/login?next={next}", "/auth/login", **fields)


PRIVATE = [
    *("/books/new", "/books/import", "/books/1/edit", "/books/1/history", "/books?state=deleted"),
    *("/auth/me", "/auth/mfa", "/auth/users", "/auth/users/1", "/auth/tokens", "/auth/sessions"),
    "/auth/events",
]
