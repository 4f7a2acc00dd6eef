"""What a person says about a message of somebody else, as one text for the model.

Knows how it is quoted, and how much of it.
"""

from __future__ import annotations

from bot.notices import notice

QUOTE_CHARS = 3_000  # the model needs the words of the one who asks more


def composed(text: str, quoted: str, author: str, *, language: str) -> str:
    """A person's words below those that they are about. With no words of their own the others are to be answered."""
    text, about = text.strip(), quoted.strip()
    if about and not text:
        name = author or notice("somebody", language)
        return notice("ask_about", language, author=name, quote=_quotation(about))
    return below(about, text)


def below(quoted: str, text: str) -> str:
    """Words below those that they are about, if there are such."""
    return f"{_quotation(quoted)}\n\n{text}" if quoted else text


def _quotation(text: str) -> str:
    quotation = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
    return quotation if len(quotation) <= QUOTE_CHARS else f"{quotation[:QUOTE_CHARS]}…"
