"""Clients that are generated from what the service says of itself, against a served process; and
/docs in a browser.
"""

import html
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.instance import ROOT, TESTS
from helpers.servers import serving
from helpers.support import bookapi

pytestmark = pytest.mark.parts
PASSWORD = "correct horse battery staple"
MINUTES = 300  # seconds for the slowest step: installing from a registry


def run(*command, folder, stdin=None):
    """A command, run to its end; fails with what it said. It finds the programs beside Python, too:
    xsdata calls ruff.
    """
    beside = str(Path(sys.executable).parent)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=MINUTES,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A served catalogue with the sample, and a token that may write."""
    folder = tmp_path_factory.mktemp("clients") / "instance"
    bookapi(folder, "init")
    bookapi(folder, "users", "add", "keeper", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    bookapi(folder, "books", "sample")
    with serving(folder) as running:
        url = "http://{}:{}".format(*running.address)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

        def post(path, data):
            request = urllib.request.Request(url + path, json.dumps(data).encode())
            request.add_header("Content-Type", "application/json")
            with opener.open(request) as answer:
                return json.load(answer)

        post("/auth/login", {"username": "keeper", "password": PASSWORD})
        token = post("/auth/tokens", {"name": "a client", "scope": "write"})["secret"]
        yield SimpleNamespace(url=url, token=token)


@pytest.fixture(scope="module")
def document(service):
    with urllib.request.urlopen(service.url + "/openapi.json") as answer:
        return answer.read().decode()


@pytest.fixture
def xsd(service, tmp_path):
    with urllib.request.urlopen(service.url + "/schemas/bookapi.xsd") as answer:
        (tmp_path / "bookapi.xsd").write_bytes(answer.read())
    return tmp_path / "bookapi.xsd"


def test_a_typescript_client_compiles(document, tmp_path):
    needs("node", "npm", "npx")
    (tmp_path / "openapi.json").write_text(document)
    (tmp_path / "package.json").write_text('{"private": true}')
    (tmp_path / "use.ts").write_text(
        """import type { components, paths } from "./api";
type Book = components["schemas"]["Book"];
type List = paths["/books"]["get"]["responses"][200]["content"]["application/json"];
export const title = (book: Book): string => book.title;
export const pages = (book: Book): number | null => book.pages;
export const titles = (list: List) => list.books.map((book) => book.title ?? "");
// @ts-expect-error: there is no such field
export const wrong = (book: Book) => book.titel;
"""
    )
    run("npm", "install", "--no-audit", "openapi-typescript@7", "typescript@5", folder=tmp_path)
    run("npx", "openapi-typescript", "openapi.json", "-o", "api.ts", folder=tmp_path)
    run("npx", "tsc", "--strict", "--noEmit", "use.ts", folder=tmp_path)


def test_a_generated_python_client_lists_adds_and_reads_books(
    service, document, tmp_path, monkeypatch
):
    pytest.importorskip("openapi_python_client")
    (tmp_path / "openapi.json").write_text(document)
    generate = ("generate", "--path", "openapi.json", "--output-path", "generated", "--meta=none")
    run(sys.executable, "-m", "openapi_python_client", *generate, folder=tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    generated = importlib.import_module("generated")
    books = "generated.api.books.books_"
    create, read_list, read_one = (
        importlib.import_module(books + name) for name in ("create", "read_list", "read_one")
    )
    models = importlib.import_module("generated.models")
    client = generated.AuthenticatedClient(base_url=service.url, token=service.token)
    with client:
        added = create.sync(
            client=client, body=models.BookInput(title="Made by a client", pages=12)
        )
        assert added.title == "Made by a client" and added.version == 1
        read = read_one.sync(added.id, client=client)
        assert read.to_dict() == added.to_dict()
        page = read_list.sync(client=client, title=["made by a CLIENT"])
        assert [book.id for book in page.books] == [added.id]


def test_classes_generated_from_the_xsd_read_and_write_our_documents(
    service, xsd, tmp_path, monkeypatch
):
    pytest.importorskip("xsdata.codegen")
    parsers = importlib.import_module("xsdata.formats.dataclass.parsers")
    serializers = importlib.import_module("xsdata.formats.dataclass.serializers")
    run(sys.executable, "-m", "xsdata", "generate", xsd, "--package", "classes", folder=tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    classes = importlib.import_module("classes")
    request = urllib.request.Request(service.url + "/books?limit=5&facets=language")
    request.add_header("Accept", "application/xml")
    with urllib.request.urlopen(request) as answer:
        catalogue = parsers.XmlParser().from_bytes(answer.read(), classes.Catalogue)
    assert catalogue.limit == 5 and len(catalogue.books.book) == 5
    assert catalogue.books.book[0].authors.author
    book = classes.Book(title="Written by a class", pages=7)
    body = serializers.XmlSerializer().render(book).encode()
    headers = {"Content-Type": "application/xml", "Authorization": f"Bearer {service.token}"}
    request = urllib.request.Request(service.url + "/books?format=xml", body, headers)
    with urllib.request.urlopen(request) as answer:
        stored = parsers.XmlParser().from_bytes(answer.read(), classes.Book)
    assert (stored.title, stored.pages, stored.version) == ("Written by a class", 7, 1)


def test_a_conformance_run_finds_nothing_wrong_and_says_what_is(service, tmp_path):
    reported = bookapi(
        tmp_path, "check-api", service.url, "--write", "--token-stdin", stdin=service.token
    )
    assert (reported.returncode, "wrong" in reported.stdout) == (0, False), reported.stdout
    assert len(reported.stdout.splitlines()) == 11
    elsewhere = service.url.replace("127.0.0.1", "localhost") + "/shelf"
    reported = bookapi(tmp_path, "check-api", elsewhere)
    assert reported.returncode == 1 and "wrong" in reported.stdout and "mend" not in reported.stderr


# Checks that are off: `positive_data_acceptance`, as the schemas have no words for what a cursor,
# an If-Match or a read-only field that is sent back must be (the tests of each say what is
# accepted); `unsupported_method`, since OPTIONS lists the methods of pages, too, which the document
# leaves out (test_contract.py compares the routes); `ignored_auth`, since it takes the 429 of the
# throttle for acceptance (test_roles.py asks every route with wrong credentials). A 412 comes
# before a 422, and is a refusal. schemathesis reads XML by the JSON Schemas, without order: the
# test client of all other tests holds it to the XSD.
REFUSALS = [400, 401, 403, 404, 406, 409, 410, 412, 413, 415, 422, 428, 429]
OFF = "positive_data_acceptance,unsupported_method,ignored_auth"
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "3"))  # for each operation


@pytest.mark.parametrize("who", ["anyone", "admin"])
def test_random_requests_get_what_is_documented(service, tmp_path, who):
    pytest.importorskip("schemathesis")
    options = [
        "--mode=all",
        "--checks=all",
        f"--exclude-checks={OFF}",
        f"--max-examples={EXAMPLES}",
    ]
    # What ends the credentials of this very run is left to other tests.
    (tmp_path / "schemathesis.toml").write_text(
        f"[checks]\nnegative_data_rejection.expected-statuses = {REFUSALS}\n"
    )
    options += ["--exclude-path-regex", r"/auth/(tokens|users)/\{id\}|/books/import"]
    if who == "admin":
        options += ["--header", f"Authorization: Bearer {service.token}"]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(TESTS / "helpers"),
    }
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "run", service.url + "/openapi.json", "--phases=examples,fuzzing"]
    done = subprocess.run(
        [*command, "--seed=1", "--no-color", *options],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * MINUTES * EXAMPLES,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    print(done.stdout[-1000:])


# -- the first client of docs/first-client.md


def first_client(language):
    """The program that the page shows for a language."""
    text = (ROOT / "docs" / "first-client.md").read_text("utf-8")
    return re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]


def adapted(language, service):
    shown = first_client(language)
    assert "http://127.0.0.1:8000" in shown and "TOKEN" in shown
    return shown.replace("http://127.0.0.1:8000", service.url).replace("TOKEN", service.token)


@pytest.mark.parametrize(
    "language, name, command",
    [
        ("sh", "client.sh", ["bash", "client.sh"]),
        ("python", "client.py", [sys.executable, "client.py"]),
        ("javascript", "client.mjs", ["node", "client.mjs"]),
        ("php", "client.php", ["php", "client.php"]),
    ],
)
def test_the_first_client_runs(service, tmp_path, language, name, command):
    needs(command[0])
    (tmp_path / name).write_text(adapted(language, service))
    reported = html.unescape(run(*command, folder=tmp_path))
    assert "A Room of One's Own" in reported and "9780141183534" in reported, reported


JAXB = "/usr/share/java"


def test_the_first_client_in_java_runs_with_classes_of_xjc(service, xsd, tmp_path):
    needs("java", "javac")
    jars = ":".join(
        f"{JAXB}/{name}.jar"
        for name in ("jaxb-xjc", "jaxb-impl", "jaxb-core", "jaxb-api", "jaxb-runtime")
        + ("javax.activation", "istack-commons-runtime", "istack-commons-tools", "xsom")
        + ("relaxng-datatype", "rngom", "dtd-parser", "codemodel", "txw2", "stax-ex", "FastInfoset")
    )
    xjc = ("java", "-cp", jars, "com.sun.tools.xjc.Driver", "-quiet", "-p", "bookapi", xsd)
    run(*xjc, folder=tmp_path)
    (tmp_path / "Client.java").write_text(adapted("java", service))
    sources = [*tmp_path.glob("bookapi/*.java"), tmp_path / "Client.java"]
    run("javac", "-nowarn", "-cp", f"{jars}:.", *sources, folder=tmp_path)
    reported = run("java", "-cp", f"{jars}:.", "Client", folder=tmp_path)
    assert "A Room of One's Own" in reported and "9780141183534" in reported, reported


def test_the_first_client_in_c_sharp_runs(service, tmp_path):
    needs("mcs", "mono")
    (tmp_path / "Client.cs").write_text(adapted("csharp", service))
    libraries = [f"-r:{name}.dll" for name in ("System.Net.Http", "System.Xml.Linq", "System.Core")]
    run("mcs", *libraries, "Client.cs", folder=tmp_path)
    reported = run("mono", "Client.exe", folder=tmp_path)
    assert "A Room of One's Own" in reported and "9780141183534" in reported, reported


# -- /docs in a browser


@pytest.fixture
def page(service):
    playwright = pytest.importorskip("playwright.sync_api")
    needs("chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        opened = browser.new_page()
        opened.faults, opened.foreign = [], []
        opened.on("pageerror", lambda error: opened.faults.append(str(error)))
        opened.on(
            "console",
            lambda said: (
                said.type == "error"
                and "Content Security Policy" in said.text
                and opened.faults.append(said.text)
            ),
        )
        opened.on(
            "request",
            lambda sent: (
                sent.url.startswith((service.url, "data:", "blob:"))
                or opened.foreign.append(sent.url)
            ),
        )
        yield opened
        browser.close()


def _try(page, operation, body=None, media_type=None):
    """Open an operation of /docs, execute it, and the status and body that are shown."""
    block = page.locator(f"#operations-{operation}")
    if "is-open" not in block.get_attribute("class"):  # the address may have opened it
        block.locator(".opblock-summary-control").click()
    if body is not None:
        block.locator("textarea.body-param__text").fill(body)
    if media_type is not None:
        block.locator(".responses-wrapper .content-type").first.select_option(media_type)
    block.locator("button.execute").click()
    live = block.locator(".live-responses-table .response").first
    live.wait_for()
    return live.locator(".response-col_status").inner_text().split()[0], live.inner_text()


def test_the_docs_try_requests_in_json_and_xml_and_with_the_session(service, page):
    page.goto(service.url + "/docs")
    page.wait_for_selector(".opblock")
    status, shown = _try(page, "books-books_read_list")
    assert status == "200" and '"books"' in shown
    page.reload()
    page.wait_for_selector(".opblock")
    status, shown = _try(page, "books-books_read_list", media_type="application/xml")
    assert status == "200" and "<catalogue>" in shown
    status, shown = _try(page, "auth-auth_me")
    assert status == "401"
    login = json.dumps({"username": "keeper", "password": PASSWORD})
    assert _try(page, "auth-auth_login", login)[0] == "200"
    page.reload()
    page.wait_for_selector(".opblock")
    status, shown = _try(page, "auth-auth_me")
    assert status == "200" and "keeper" in shown
    assert page.faults == [] and page.foreign == []
