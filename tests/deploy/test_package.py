"""What an installed Frontdesk consists of, held against the files that lie in its packages."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
NOT_READ = {"__pycache__", "node_modules", "src"}  # compiled, and what the widget is built from
BUILDS = {".ts", ".mjs", ".npmrc"}


@pytest.mark.parametrize("package", ["bot", "inference", "moderation", "worker"])
def test_every_file_that_lies_beside_code_is_installed_with_it(package: str) -> None:
    files = [file for file in (ROOT / package).rglob("*") if file.is_file()]
    left_out = [
        str(file.relative_to(ROOT))
        for file in files
        if file.suffix != ".py"
        and not NOT_READ & set(file.parts)
        and not any(file.name.endswith(end) for end in BUILDS)
        and not any(fnmatch(file.name, pattern) for pattern in DATA)
    ]
    assert not left_out
