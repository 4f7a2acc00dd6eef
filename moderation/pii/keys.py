"""API keys, tokens, private keys, and passwords inside addresses.

Knows the forms of named tokens: detect-secrets' and a few newer ones. Never asks the network whether one works.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from moderation.pii.found import Found, moved

# One run of characters that a token may consist of; shorter ones are no token's.
WORD = re.compile(r"[^\s\"'`<>{}\[\](),;&|]{16,}")
# Some patterns take quadratic time on text made for it; a longer word is read in parts that overlap.
PART, STEP = 512, 256
TAIL = re.compile(r"[A-Za-z0-9_-]*")

# detect-secrets' detectors of tokens that have a form of their own, and the group that is the secret.
NAMED = (
    ("github_token", "GitHubTokenDetector", "github token"),
    ("gitlab_token", "GitLabTokenDetector", "gitlab token"),
    ("slack", "SlackDetector", "slack token"),
    ("stripe", "StripeDetector", "stripe key"),
    ("twilio", "TwilioKeyDetector", "twilio key"),
    ("openai", "OpenAIDetector", "openai key"),
    ("pypi_token", "PypiTokenDetector", "pypi token"),
    ("azure_storage_key", "AzureStorageKeyDetector", "azure storage key"),
    ("discord", "DiscordBotTokenDetector", "discord token"),
    ("sendgrid", "SendGridDetector", "sendgrid key"),
    ("square_oauth", "SquareOAuthDetector", "square secret"),
    ("telegram_token", "TelegramBotTokenDetector", "telegram token"),
    ("mailchimp", "MailchimpDetector", "mailchimp key"),
)
# Newer than detect-secrets 1.5, by the prefixes their makers publish.
NEWER = (
    ("github token", r"github_pat_\w{22,}"),
    ("anthropic key", r"sk-ant-[\w-]{20,}"),
    ("openai key", r"sk-(?:proj|svcacct|admin|or-v1)-[\w-]{20,}|sk-[A-Za-z0-9]{24,}"),
    ("hugging face token", r"hf_[A-Za-z0-9]{30,}"),
    ("google key", r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"),
    ("stripe key", r"(?:sk|rk)_(?:test|live)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,}"),
    ("slack token", r"xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{20,}|xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{20,}"),
    ("npm token", r"npm_[A-Za-z0-9]{36}"),
    ("digitalocean token", r"do[oprt]_v1_[a-f0-9]{64}"),
    ("shopify token", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("databricks token", r"dapi[a-f0-9]{32}"),
    ("linear key", r"lin_api_[A-Za-z0-9]{32,}"),
    ("groq key", r"gsk_[A-Za-z0-9]{40,}"),
    ("age key", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ("frontdesk key", r"fd-[A-Za-z0-9_-]{43}"),
)
JWT = re.compile(r"(?<![\w-])eyJ[\w-]+={0,2}\.eyJ[\w-]+={0,2}(?:\.[\w-]*={0,2})?", re.ASCII)
# What may follow the opening line of a private key: headers, lines of base64, the closing line, or the end of a text
# that is still being written. A sentence that only names the line goes on with other words.
KEY_BODY = re.compile(
    r"-----(?:\s+[A-Z][A-Za-z-]{2,20}: ?[^\n]{0,120}){0,8}"
    r"(?:(?:\s+|\\n)[A-Za-z0-9+/=]{16,})*(?:(?:\s+|\\n)[A-Za-z0-9+/=]{1,15}(?=\s*(?:\\n)?(?:-|\Z)))?"
    r"(?:\s*(?:\\n)?-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\s*(?:\\n)?-[-A-Z ]{0,40}\Z)?"
)


PUTTY = re.compile(
    r"PuTTY-User-Key-File-\d: .{0,100}\nEncryption: .*?(?:Private-MAC: ?[0-9a-f]+|\Z)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Form:
    detail: str
    pattern: re.Pattern[str]


def secrets(text: str) -> Iterator[Found]:
    for word in WORD.finditer(text):
        if any(char.isdigit() for char in word[0]):
            for at in range(0, max(1, len(word[0]) - STEP), STEP):
                part = word[0][at : at + PART]
                yield from (_whole(text, one) for one in moved(_tokens(part), word.start() + at))
    yield from _jwts(text)
    yield from _keys_by_name(text)
    if "PRIVATE KEY" in text:
        yield from _private_keys(text)
    if "PuTTY" in text:
        yield from (Found("secret", *hit.span(), "private key") for hit in PUTTY.finditer(text))


def _tokens(word: str) -> Iterator[Found]:
    for form in _forms():
        for hit in form.pattern.finditer(word):
            start = hit.start()
            inside = start and word[start - 1].isascii() and word[start - 1].isalnum()
            if not inside and any(char.isdigit() for char in hit[0]):
                yield Found("secret", *hit.span(), form.detail)


def _whole(text: str, found: Found) -> Found:
    """Keys have grown longer than the patterns know: the rest of the word belongs to the token."""
    rest = TAIL.match(text, found.end)
    return Found(found.kind, found.start, rest.end() if rest else found.end, found.detail)


@cache
def _forms() -> tuple[_Form, ...]:
    named = [_Form(detail, pattern) for module, name, detail in NAMED for pattern in _denylist(module, name)]
    access_key = _Form("aws key", _denylist("aws", "AWSKeyDetector")[0])
    return (access_key, *named, *(_Form(detail, re.compile(pattern, re.ASCII)) for detail, pattern in NEWER))


@cache
def _denylist(module: str, name: str) -> tuple[re.Pattern[str], ...]:
    return tuple(getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist)


def _jwts(text: str) -> Iterator[Found]:
    if "eyJ" not in text:
        return
    valid = import_module("detect_secrets.plugins.jwt").JwtTokenDetector.is_formally_valid
    for hit in JWT.finditer(text):
        if valid(hit[0]):
            yield Found("secret", *hit.span(), "json web token")


def _keys_by_name(text: str) -> Iterator[Found]:
    """Values that only the words before them betray; the words stay."""
    if "aws" in text.lower():
        for hit in _denylist("aws", "AWSKeyDetector")[1].finditer(text):
            yield Found("secret", *hit.span(1), "aws secret key")
    if "_authToken" in text:
        for line in re.finditer(r"(?://)[^\s]{1,200}/:_authToken=\s?[^\s]{8,400}", text):
            for hit in _denylist("npm", "NpmDetector")[0].finditer(line[0]):
                yield from moved([Found("secret", *hit.span(1), "npm token")], line.start())
    if "://" in text and "@" in text:
        for hit in _denylist("basic_auth", "BasicAuthDetector")[0].finditer(text):
            yield Found("secret", *hit.span(1), "password in an address")


def _private_keys(text: str) -> Iterator[Found]:
    for pattern in _denylist("private_key", "PrivateKeyDetector"):
        for opening in pattern.finditer(text):
            start = opening.start()
            while text[start - 1 : start] == "-":
                start -= 1
            body = KEY_BODY.match(text, opening.end())
            if body and (body.end() - opening.end() > 20 or not text[body.end() :].strip()):
                yield Found("secret", start, body.end(), "private key")
