"""What stands in a line of Markdown, written on a Telegram page: styles, code, links, pictures.

Knows which addresses may be linked. Leaves blocks to `telegram_blocks`, mentions to `telegram`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from markdown_it.common.normalize_url import normalizeLinkText
from markdown_it.token import Token

from bot.markup.telegram_page import Page

SCHEMES = frozenset({"http", "https", "mailto", "tg"})

_STYLES = {"strong": "bold", "em": "italic", "s": "strikethrough"}


def may_be_linked(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "tg":  # tg://user?id=1 calls that person
        return not re.match(r"(?i)tg:/*user\b", unquote(url))
    return parts.scheme in SCHEMES and bool(parts.netloc or parts.scheme == "mailto")


def write_inline(page: Page, children: Sequence[Token], *, skip: int = 0) -> None:
    """`skip`: how many characters of the first words are left out."""
    link = 0
    for at, child in enumerate(children):
        name, _, end = child.type.rpartition("_")
        if child.type == "link_open":
            link = at
            page.open("text_link" if _needs_entity(child) else "", _address(child))
        elif child.type == "link_close":
            _end_link(page, _address(children[link]), flat(children[link + 1 : at]))
        elif name in _STYLES and end == "open":
            page.open(_STYLES[name])
        elif name in _STYLES:
            page.close()
        else:
            _write_words(page, child, child.content[0 if at else skip :])


def flat(children: Sequence[Token]) -> str:
    """The words alone."""
    return "".join(_flat(child) for child in children)


def _write_words(page: Page, child: Token, words: str) -> None:
    match child.type:
        case "softbreak" | "hardbreak":
            page.gap(1)
        case "code_inline":
            page.code(words)
        case "image":  # its words, linked to where it is: nothing is loaded
            page.open("" if page.is_open("text_link") else "text_link", _source(child))
            page.write(_flat(child))
            page.close()
        case _:
            page.write(words)


def _end_link(page: Page, address: str, label: str) -> None:
    """A link without words shows its address; so does one to a mailbox, which Telegram links by itself."""
    readable = _readable(address)
    if not label:
        page.write(readable)
    elif address.startswith("mailto:") and readable != label.removeprefix("mailto:"):
        page.write(f" ({readable})")
    page.close()


def _needs_entity(link: Token) -> bool:
    """Telegram finds bare addresses by itself, but not when a sign has been put into what is shown."""
    bare = link.markup == "linkify" and "@" not in _address(link)
    return not bare and not _address(link).startswith("mailto:")


def _flat(child: Token) -> str:
    match child.type:
        case "softbreak" | "hardbreak":
            return " "
        case "image":
            return flat(child.children or ()) or _readable(_source(child))
        case _:
            return child.content


def _address(link: Token) -> str:
    return str(link.attrs.get("href", ""))


def _source(image: Token) -> str:
    return str(image.attrs.get("src", ""))


def _readable(address: str) -> str:
    """Much as it was written: without the escapes of letters."""
    decoded = normalizeLinkText(address)
    return (address if re.search(r"\s", decoded) else decoded).removeprefix("mailto:")
