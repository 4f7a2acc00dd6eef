"""E-mail addresses and IP addresses.

Knows their forms and which of them are nobody's: host names in git addresses, private networks, version numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from moderation.pii.found import Found

# Latin, Greek and Cyrillic letters; Chinese has no spaces, and "写信给" before an address is no part of it.
LETTERS = "A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ӿ"
LOCAL = (
    rf"(?<![{LETTERS}0-9_.%+-])(?P<local>[{LETTERS}0-9_](?:[{LETTERS}0-9_.%+'-]{{0,62}}[{LETTERS}0-9_+-])?)"
)
LABEL = rf"[{LETTERS}0-9](?:[{LETTERS}0-9-]{{0,61}}[{LETTERS}0-9])?"
EMAIL = re.compile(
    rf"{LOCAL}@(?P<host>(?:{LABEL}\.)+(?:[{LETTERS}]{{2,24}}|xn--[a-z0-9-]{{2,59}}))(?![{LETTERS}0-9-])"
)
SPELT = re.compile(
    rf"{LOCAL}\s?[\[({{]\s?at\s?[\])}}]\s?(?P<host>{LABEL}(?:\s?(?:\.|[\[({{]\s?dot\s?[\])}}])\s?{LABEL})+)",
    re.IGNORECASE,
)
RETINA = re.compile(r"[1-9](?:\.5)?x\.")  # logo@2x.png
FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "txt"})

V4 = re.compile(r"(?<![\w.+-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)", re.ASCII)
V6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-f]*:[0-9a-f]*:)[0-9a-f:]{2,38}[0-9a-f:](?<![0-9a-f]:)(?![0-9a-f])",
    re.IGNORECASE | re.ASCII,
)
BEFORE = 24  # characters; "upgraded from version "
VERSION = re.compile(
    r"(?:\bv|\bver|versions?|releases?|build|firmware|driver|upgraded?|updated?|section|chapter|clause|paragraph|版本)"
    r"(?:\s+(?:is|from|to|no|number|now))?[\s.:=v-]{0,3}\Z",
    re.IGNORECASE,
)
NOBODYS = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
)
ASSIGNED = IPv6Network("2000::/3")  # what is routed; "a::b" in a program is a valid address too


def emails(text: str) -> Iterator[Found]:
    if "@" in text:
        for hit in EMAIL.finditer(text):
            if not _no_mailbox(hit, after=text[hit.end() : hit.end() + 1]):
                yield Found("email", *hit.span())
    if re.search(r"[\[({]\s?at\s?[\])}]", text, re.IGNORECASE):
        for hit in SPELT.finditer(text):
            yield Found("email", *hit.span(), "spelt out")


def ips(text: str) -> Iterator[Found]:
    for hit in V4.finditer(text):
        address = _address(hit[0])
        if not isinstance(address, IPv4Address) or any(address in net for net in NOBODYS):
            continue
        if not VERSION.search(text[max(0, hit.start() - BEFORE) : hit.start()]):
            yield Found("ip", *hit.span(), "v4")
    if text.count(":") > 1:
        for hit in V6.finditer(text):
            address = _address(hit[0])
            if isinstance(address, IPv6Address) and address in ASSIGNED:
                yield Found("ip", *hit.span(), "v6")


def _no_mailbox(hit: re.Match[str], *, after: str) -> bool:
    host = hit["host"].lower()
    if hit["local"] == "git" and after in (":", "/"):
        return True
    return bool(RETINA.match(host)) or host.rpartition(".")[2] in FILES


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
