"""What an installed Frontdesk consists of, held against the files that lie in its packages."""

from __future__ import annotations

import re
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


def test_every_dependency_is_pinned_to_one_version() -> None:
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.+-]+( *;.*)?", pin)] == []
    pinned = {_normal(pin.partition("==")[0]) for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [
        *project["dependencies"],
        *(one for group in project["optional-dependencies"].values() for one in group),
    ]
    assert {_normal(re.split(r"[\[;=<> ]", one)[0]) for one in asked} <= pinned


def test_what_is_installed_is_what_is_pinned_and_every_check_audits_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "PINS := deploy/constraints.txt" in makefile
    assert re.search(r"^PIP := .*--constraint \$\(PINS\)$", makefile, re.MULTILINE)
    check = makefile.partition("\ncheck:")[2].partition("\n\n")[0]
    assert re.search(r"pip-audit .*--requirement \$\(PINS\)", check)
    assert "make check" in (ROOT / ".ci/run").read_text()
    assert "--constraint deploy/constraints.txt" in (ROOT / "deploy/Dockerfile").read_text()


# The first release in which what was published about a distribution is mended, for those that we have. pip-audit knows
# more and newer ones, but where it does not reach its database it lets everything pass.
MENDED = {
    "aiohttp": "3.13.3",  # CVE-2025-69223 and those before
    "celery": "5.2.2",  # CVE-2021-23727
    "certifi": "2024.7.4",  # CVE-2024-39689
    "cryptography": "44.0.1",  # CVE-2024-12797
    "filelock": "3.20.1",  # CVE-2025-68146
    "fonttools": "4.60.2",  # CVE-2025-66034
    "h11": "0.16.0",  # CVE-2025-43859
    "idna": "3.7",  # CVE-2024-3651
    "jinja2": "3.1.6",  # CVE-2025-27516
    "joblib": "1.2.0",  # CVE-2022-21797
    "mako": "1.2.2",  # CVE-2022-40023
    "markdown-it-py": "2.2.0",  # CVE-2023-26302
    "pillow": "11.3.0",  # CVE-2025-48379
    "protobuf": "6.31.1",  # CVE-2025-4565
    "pygments": "2.15.0",  # CVE-2022-40896
    "pyyaml": "5.4",  # CVE-2020-14343
    "redis": "4.5.5",  # CVE-2023-28859
    "requests": "2.32.4",  # CVE-2024-47081
    "scikit-learn": "1.5.0",  # CVE-2024-5206
    "torch": "2.8.0",  # CVE-2025-32434, CVE-2025-3730
    "tqdm": "4.66.3",  # CVE-2024-34062
    "transformers": "4.53.0",  # CVE-2025-5197 and those before
    "urllib3": "2.6.3",  # CVE-2026-21441 and those before
    "werkzeug": "3.1.5",  # CVE-2026-21860 and those before
}


def test_no_pin_is_known_to_be_bad() -> None:
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    pinned = {_normal(name): version for name, _, version in (line.partition("==") for line in lines)}
    bad = {name: pinned[name] for name, mended in MENDED.items() if _numbers(pinned[name]) < _numbers(mended)}
    assert bad == {}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
