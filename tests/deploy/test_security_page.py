"""The threat model in docs/security.md, held against the tests that it names and the doors that the code opens."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
README = (ROOT / "README.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE + README)))
ROUTE = re.compile(
    r"\bweb\.(?:get|post|put|patch|delete|route)\(\s*(?:\"\*\",\s*)?(?:\"(/[^\"]*)\"|([A-Z_]+))"
    r"|\b_route\(\"[A-Z]+\", \"(/[^\"]*)\""
)
VALUE = re.compile(r"^([A-Z_]+)(?:: Final)? = \"(/[^\"]*)\"", re.MULTILINE)


@cache
def _tests_in(file: str) -> frozenset[str]:
    """The names of the tests of one file that run: those that are skipped in any case are none."""
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any(
            "mark.skip" in ast.unparse(mark) and "skipif" not in ast.unparse(mark)
            for mark in node.decorator_list
        )
    )


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda part: str(part))
def test_every_test_that_the_page_or_the_readme_names_exists(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in _tests_in(file)


def threats() -> list[tuple[str, str, str]]:
    """The rows of the page's tables of threats."""
    section = PAGE.partition("\n## Threats\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows if not row.startswith(("| threat |", "|---"))]
    return [(one.strip(), how.strip(), shown.strip()) for one, how, shown in cells]


@pytest.mark.parametrize("row", threats(), ids=lambda row: row[0] or row[1])
def test_every_threat_says_how_it_is_met_and_what_shows_it(row: tuple[str, str, str]) -> None:
    _, how, shown = row
    assert how
    assert re.fullmatch(r"(`[\w/]+\.py::test_\w+` ?)+", shown)


def test_there_are_threats_and_limits() -> None:
    assert len(threats()) >= 30
    assert len(PAGE.partition("\n## What is not protected\n")[2].split("\n- ")) > 8


def doors() -> set[str]:
    """Every path that the bot's code serves."""
    found: set[str] = set()
    for file in (ROOT / "bot").rglob("*.py"):
        text = file.read_text()
        values = dict(VALUE.findall(text))
        for path, constant, gateways in ROUTE.findall(text):
            found.add(path or gateways or values.get(constant, constant))
    settings = dict(VALUE.findall((ROOT / "bot/channels/telegram/settings.py").read_text()))
    return {re.sub(r"\{(\w+):[^}]*\}", r"{\1}", settings.get(path, path)) for path in found}


def test_every_door_stands_on_the_page_and_no_other() -> None:
    section = PAGE.partition("\n## The doors\n")[2].partition("\n## ")[0]
    told = {
        path
        for line in section.splitlines()
        if line.startswith("| `/")
        for path in re.findall(r"`(/[^`]*)`", line.split(" | ")[0])
    }
    assert told == doors()


def test_the_readme_leads_to_the_page() -> None:
    assert "](docs/security.md)" in (ROOT / "README.md").read_text()
