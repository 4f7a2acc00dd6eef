"""Which files are text, and what their bytes say."""

from __future__ import annotations

import pytest

from bot.textfiles import Unread, decoded, is_text


@pytest.mark.parametrize(
    ("name", "mime", "text"),
    [
        ("a.py", "text/plain", True),
        ("data.JSON", "application/octet-stream", True),
        ("build.log", "", True),
        ("table", "text/csv", True),
        ("x", "application/json", True),
        ("cat.png", "image/png", False),
        ("report.pdf", "application/pdf", False),
        ("letter.rtf", "text/rtf", False),
        ("Makefile", "application/octet-stream", False),
        ("", "", False),
    ],
)
def test_what_counts_as_text(name: str, mime: str, text: bool) -> None:
    assert is_text(name, mime) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"plain\n", "plain\n"),
        ("Größe 文字 🙂".encode(), "Größe 文字 🙂"),
        ("\ufeffwith a mark".encode(), "with a mark"),
        ("wide".encode("utf-16"), "wide"),
        (b"", ""),
    ],
)
def test_bytes_become_text(content: bytes, text: str) -> None:
    assert decoded(content) == text


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"\x80abc", b"a\0b", "Größe".encode("latin-1")])
def test_what_is_no_text_after_all_is_named(content: bytes) -> None:
    with pytest.raises(Unread, match="file_no_text"):
        decoded(content)
