"""Fixtures of durability tests."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the module's instance, for this test alone."""
    return Path(shutil.copytree(made, tmp_path / "instance"))
