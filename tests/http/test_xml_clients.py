"""Clients that write XML as their libraries do by default: .NET's XmlSerializer, JAXB, SimpleXML.

Each reads a book from standard input and writes two documents to standard output, one a line: the
book with another title and without its read-only members, and a sign-in. Debian: mono-mcs,
default-jdk-headless with libjaxb-java, php-cli with php-xml.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.books import FULL, own
from helpers.instance import PASSWORD

JARS = ":".join(
    f"/usr/share/java/{name}.jar"
    for name in (
        "jaxb-api",
        "jaxb-runtime",
        "jaxb-core",
        "istack-commons-runtime",
        "javax.activation",
        "txw2",
        "stax-ex",
        "FastInfoset",
    )
)

CSHARP = """
using System; using System.IO; using System.Text; using System.Xml; using System.Xml.Serialization;
public class Identifier { public string scheme; public string value; }
[XmlRoot("book")] public class Book {
    public string title; [XmlElement(IsNullable=true)] public string subtitle;
    [XmlArrayItem("author")] public string[] authors;
    public string isbn; public string publisher; public string published; public string language;
    public string series; public string series_number; public string edition;
    [XmlElement(IsNullable=true)] public int? pages; public string description;
    [XmlArrayItem("subject")] public string[] subjects;
    [XmlArrayItem("identifier")] public Identifier[] identifiers;
    public string cover_url; public string location; public string call_number;
    [XmlElement(IsNullable=true)] public int? copies;
}
[XmlRoot("login")] public class Login { public string username; public string password; }
public class Client {
    static void Write(object what) {
        var settings = new XmlWriterSettings { Encoding = new UTF8Encoding(false) };
        var memory = new MemoryStream();
        using (var writer = XmlWriter.Create(memory, settings))
            new XmlSerializer(what.GetType()).Serialize(writer, what);
        Console.WriteLine(Encoding.UTF8.GetString(memory.ToArray()) + "----");
    }
    public static void Main() {
        var book = (Book)new XmlSerializer(typeof(Book)).Deserialize(Console.OpenStandardInput());
        book.title = "Changed"; book.subtitle = null;
        Write(book);
        Write(new Login {
            username = "admin", password = Environment.GetEnvironmentVariable("PASSWORD") });
    }
}
"""
JAVA = """
import javax.xml.bind.*; import javax.xml.bind.annotation.*; import java.io.*; import java.util.*;
public class Client {
    @XmlAccessorType(XmlAccessType.FIELD) public static class Identifier { String scheme, value; }
    @XmlRootElement(name = "book") @XmlAccessorType(XmlAccessType.FIELD) public static class Book {
        String title; @XmlElement(nillable = true) String subtitle;
        @XmlElementWrapper @XmlElement(name = "author") List<String> authors;
        String isbn, publisher, published, language, series, series_number, edition;
        Integer pages; String description;
        @XmlElementWrapper @XmlElement(name = "subject") List<String> subjects;
        @XmlElementWrapper @XmlElement(name = "identifier") List<Identifier> identifiers;
        String cover_url, location, call_number; Integer copies;
    }
    @XmlRootElement(name = "login") @XmlAccessorType(XmlAccessType.FIELD)
    public static class Login {
        String username = "admin", password = System.getenv("PASSWORD");
    }
    static void write(JAXBContext context, Object what) throws Exception {
        StringWriter out = new StringWriter();
        context.createMarshaller().marshal(what, out);
        System.out.println(out + "----");
    }
    public static void main(String[] arguments) throws Exception {
        JAXBContext context = JAXBContext.newInstance(Book.class, Login.class);
        Book book = (Book) context.createUnmarshaller().unmarshal(System.in);
        book.title = "Changed"; book.subtitle = null;
        write(context, book);
        write(context, new Login());
    }
}
"""
PHP = """<?php
$book = simplexml_load_string(stream_get_contents(STDIN));
$book->title = 'Changed';
$book->subtitle = '';
foreach (['id', 'version', 'created_at', 'updated_at'] as $name) unset($book->$name);
echo $book->asXML(), "----";
$login = new SimpleXMLElement('<login/>');
$login->addChild('username', 'admin');
$login->addChild('password', getenv('PASSWORD'));
echo $login->asXML(), "----";
"""


def build_csharp(folder):
    (folder / "Client.cs").write_text(CSHARP)
    subprocess.run(["mcs", "-nologo", "-r:System.Xml.dll", "Client.cs"], cwd=folder, check=True)
    return ["mono", "Client.exe"]


def build_java(folder):
    (folder / "Client.java").write_text(JAVA)
    subprocess.run(["javac", "-nowarn", "-cp", JARS, "Client.java"], cwd=folder, check=True)
    return ["java", "-cp", f"{JARS}:.", "Client"]


def build_php(folder):
    (folder / "client.php").write_text(PHP)
    return ["php", "client.php"]


@pytest.mark.parametrize(
    ("build", "needs"),
    [(build_csharp, "mcs"), (build_java, "javac"), (build_php, "php")],
    ids=["XmlSerializer", "JAXB", "SimpleXML"],
)
def test_a_book_is_read_changed_and_sent_back_and_the_client_signs_in(
    app, admin, tmp_path, build, needs
):
    if (
        not shutil.which(needs)
        or needs == "javac"
        and not Path("/usr/share/java/jaxb-api.jar").exists()
    ):
        pytest.skip(f"{needs} is not installed")
    admin.post("/books", json=FULL)
    client = subprocess.run(
        build(tmp_path),
        cwd=tmp_path,
        input=admin.get("/books/1?format=xml").get_data(),
        env={"PATH": "/usr/bin:/bin", "PASSWORD": PASSWORD, "LANG": "C.UTF-8"},
        capture_output=True,
        check=True,
    )
    book, login, _ = (part.strip() for part in client.stdout.split(b"----"))
    answer = admin.put("/books/1", data=book, content_type="application/xml")
    assert answer.status_code == 200, (book, answer.get_data())
    assert own(admin.get("/books/1").json) == {**FULL, "title": "Changed", "subtitle": None}
    answer = app.test_client().post("/auth/login", data=login, content_type="application/xml")
    assert answer.status_code == 200, (login, answer.get_data())
