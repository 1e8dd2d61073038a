"""Fixtures of tests of server processes."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(filled, tmp_path):
    """A copy of the module's instance, for this test alone."""
    return Path(shutil.copytree(filled, tmp_path / "instance"))
