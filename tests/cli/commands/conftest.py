"""Instances for commands."""

import shutil

import pytest

from helpers.commands import Instance


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A console whose instance was not made yet."""
    made = Instance(tmp_path / "instance", monkeypatch)
    yield made
    made.close()


@pytest.fixture(scope="session")
def initialised(tmp_path_factory):
    """The folder that `init` made, and what it said; to be copied."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = Instance(tmp_path_factory.mktemp("cli") / "instance", monkeypatch)
        output = made.run("init").stdout
        made.close()
    return made.folder, output


@pytest.fixture
def instance(initialised, nowhere):
    """A console over an instance of its own that `init` made."""
    shutil.copytree(initialised[0], nowhere.folder)
    return nowhere
