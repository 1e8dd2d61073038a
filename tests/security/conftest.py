"""The services that the tests with raw sockets talk to. tests/helpers/raw_service.py."""

import os
from contextlib import closing

import pytest

from helpers.nginx import NGINX, plain_nginx
from helpers.raw_service import GIVEN, HOST, Service
from helpers.servers import serving
from helpers.support import bookapi
from helpers.wire import Address


def url_of(service):
    return "http://{}:{}".format(*service.address)


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """The folder and the password of an instance with the admin `keeper`, for all services here."""
    if GIVEN:
        pytest.skip(
            "WIRE_URL names the only service that is attacked, and that has settings of its own"
        )
    folder = tmp_path_factory.mktemp("wire") / "instance"
    output = bookapi(folder, "init", "--admin", "keeper").stdout
    return folder, output.partition("admin password: ")[2].split()[0]


@pytest.fixture(scope="module")
def direct(instance):
    """A service that trusts no proxy, and answers to any host name."""
    folder, password = instance
    with (
        serving(folder) as running,
        closing(Service(url_of(running), password, HOST, strict=True)) as service,
    ):
        yield service


@pytest.fixture(scope="module")
def trusting(instance):
    """A service that trusts a proxy on this machine, and answers to one host name."""
    folder, password = instance
    with (
        serving(folder, TRUSTED_PROXY="127.0.0.1", TRUSTED_HOSTS=HOST) as running,
        closing(Service(url_of(running), password, HOST, strict=True)) as service,
    ):
        yield service


@pytest.fixture(scope="module")
def behind_nginx(trusting, instance, tmp_path_factory):
    """The same service through NGINX."""
    if NGINX is None:
        pytest.skip("there is no nginx on this machine (Debian: the package nginx-light)")
    upstream = f"{trusting.address.name}:{trusting.address.port}"
    with (
        plain_nginx(tmp_path_factory.mktemp("nginx"), upstream) as url,
        closing(Service(url, instance[1], f"{HOST}:{Address.of(url).port}")) as service,
    ):
        yield service


@pytest.fixture(scope="module", params=["given"] if GIVEN else ["direct", "nginx"])
def service(request):
    if request.param != "given":
        yield request.getfixturevalue("direct" if request.param == "direct" else "behind_nginx")
        return
    user, password = (os.environ.get(f"WIRE_{name}") for name in ("USER", "PASSWORD"))
    with closing(Service(GIVEN, password, user=user)) as service:
        yield service


@pytest.fixture
def victim(service):
    return service.victim()
