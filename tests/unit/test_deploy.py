"""deploy/ and `bookapi genconfig`. What the files do is tested in tests/server/test_nginx.py and
test_deploy_parts.py.
"""

import pytest
import yaml

from bookapi.config import SETTINGS
from bookapi.site.genconfig import FILES, render
from helpers.instance import ROOT

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}


@pytest.mark.parametrize("kind", FILES)
def test_the_files_of_deploy_are_what_genconfig_writes(kind):
    for path, text in render(kind, DEFAULTS).items():
        written = (ROOT / "deploy" / path).read_text(encoding="utf-8")
        assert written == text, f"{path}: run make deploy"


def test_deploy_has_no_other_files():
    known = {file.path for files in FILES.values() for file in files}
    found = {
        str(path.relative_to(ROOT / "deploy"))
        for path in (ROOT / "deploy").rglob("*")
        if path.is_file()
    }
    assert found == known


def test_the_settings_in_use_are_in_the_files():
    settings = {
        **DEFAULTS,
        "TRUSTED_HOSTS": ["books.example", ".library.example"],
        "MAX_BODY_BYTES": 2048,
        "MAX_IMPORT_BYTES": 4096,
        "PROXY_USER_HEADER": "X-Forwarded-User",
        "PUBLIC_READ": False,
    }
    text = render("nginx", settings)["nginx/bookapi.conf"]
    for line in (
        "server_name books.example library.example;",
        "client_max_body_size 2048;",
        "client_max_body_size 4096;",
        'proxy_set_header X-Forwarded-User "";',
    ):
        assert line in text
    assert "proxy_cache" not in text  # a private catalogue is in no shared cache


@pytest.mark.parametrize(
    "kind, line",
    [
        ("nginx", "proxy_pass http://bookapi;"),
        ("systemd", "Type=notify"),
        ("compose", "services:"),
        ("haproxy", "listen bookapi-database"),
    ],
)
def test_the_command_prints_one_file(runner, kind, line):
    done = runner.invoke(args=["genconfig", kind])
    assert done.exit_code == 0 and line in [each.strip() for each in done.stdout.splitlines()]


def test_the_command_writes_all_files(runner, tmp_path):
    done = runner.invoke(
        args=["genconfig", "all", "--directory", str(tmp_path), "--server-name", "a.example"]
    )
    assert done.exit_code == 0
    for kind in FILES:
        for file in FILES[kind]:
            assert (tmp_path / file.path).read_text()
    assert "server_name a.example;" in (tmp_path / "nginx/bookapi.conf").read_text()
    assert (tmp_path / "haproxy/wsrep-ready").stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["compose.yaml", "compose.sqlite.yaml"])
def test_the_compositions_are_complete(name):
    composed = yaml.safe_load((ROOT / "deploy" / name).read_text())
    services = composed["services"]
    has_server = name == "compose.yaml"
    assert set(services) == {"bookapi", "nginx", *(["database"] if has_server else [])}
    assert services["bookapi"]["read_only"] and services["bookapi"]["volumes"] == [
        "instance:/instance"
    ]
    [network] = composed["networks"]["default"]["ipam"]["config"]
    assert services["bookapi"]["environment"]["BOOKAPI_TRUSTED_PROXY"] == network["subnet"]
    named = {
        volume.split(":")[0]
        for service in services.values()
        for volume in service["volumes"]
        if not volume.startswith("./")
    }
    assert named == set(composed["volumes"])
    used = {secret for service in services.values() for secret in service.get("secrets", [])}
    assert used == set(composed.get("secrets", {}))
