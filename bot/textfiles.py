"""Files that come with a message, as text: which count as text, and what their bytes say.

Knows types, endings and encodings. Leaves fetching them to each channel.
"""

from __future__ import annotations

import codecs
import re

from bot.messages import MAX_FILE_CHARS

MAX_BYTES = 4 * MAX_FILE_CHARS  # the most that so many characters take

# What is text though its type does not begin with "text/".
TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/sql",
        "application/toml",
        "application/x-httpd-php",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-perl",
        "application/x-python",
        "application/x-ruby",
        "application/x-sh",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
        "image/svg+xml",
    }
)
# What is text whatever its type says: platforms call what they do not know application/octet-stream.
TEXT_ENDING = re.compile(
    r"""\.(adoc|bash|bat|c|cc|cfg|clj|conf|cpp|cs|css|csv|dart|diff|env|erl|ex|go|graphql|groovy|h|hpp|hs|html|ini|
    ipynb|java|jl|js|json|jsonl|jsx|kt|less|log|lua|m|md|mjs|ndjson|nim|patch|php|pl|properties|proto|ps1|py|r|rb|
    rs|rst|scala|scss|sh|sql|srt|svg|swift|tex|tf|toml|ts|tsv|tsx|txt|vb|vue|xml|yaml|yml|zig)\Z""",
    re.IGNORECASE | re.VERBOSE,
)
NOT_TEXT = frozenset({"text/rtf"})  # though the type begins so: it is full of marks
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Unread(Exception):
    """A file that we cannot take; its message is the name of a notice."""


def is_text(name: str, mime: str) -> bool:
    """Whether a file is text, by what it is called and the type that its platform tells."""
    by_type = (mime.startswith("text/") and mime not in NOT_TEXT) or mime in TEXT_TYPES
    return by_type or TEXT_ENDING.search(name) is not None


def decoded(content: bytes) -> str:
    """The text, read strictly. Raises Unread for what is none after all."""
    encoding = next((name for mark, name in BOMS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise Unread("file_no_text") from None
    if "\0" in text:
        raise Unread("file_no_text")
    return text
