"""Keys and tokens: named ones are found whole, plain sentences are no keys, and no comment switches it off."""

from __future__ import annotations

import string

import pytest

from moderation.pii import find

ALNUM = "a1B2c3D4e5F6g7H8i9J0" + string.ascii_letters * 4
HEX = "0123456789abcdef" * 5
# Put together here, so that no scanner of this repository takes them for real ones.
TOKENS = {
    "aws key": "AKIA" + "IOSFODNN7EXAMPLE",
    "github token": "ghp_" + ALNUM[:36],
    "gitlab token": "glpat-" + ALNUM[:20],
    "slack token": "xoxb-" + "123456789012-" * 2 + ALNUM[:24],
    "stripe key": "sk_live_" + ALNUM[:24],
    "twilio key": "SK" + HEX[:32],
    "openai key": "sk-" + ALNUM[:20] + "T3BlbkFJ" + ALNUM[:20],
    "pypi token": "pypi-AgEIcHlwaS5vcmc" + ALNUM[:80],
    "azure storage key": "AccountKey=" + ALNUM[:86] + "==",
    "discord token": "M" + ALNUM[:23] + "." + ALNUM[:6] + "." + ALNUM[:27],
    "sendgrid key": "SG." + ALNUM[:22] + "." + ALNUM[:43],
    "square secret": "sq0csp-" + ALNUM[:43],
    "telegram token": "123456789:" + ALNUM[:35],
    "mailchimp key": HEX[:32] + "-us12",
    "anthropic key": "sk-ant-api03-" + ALNUM[:40],
    "hugging face token": "hf_" + ALNUM[:34],
    "google key": "AIza" + ALNUM[:35],
    "npm token": "npm_" + ALNUM[:36],
    "digitalocean token": "dop_v1_" + HEX[:64],
    "shopify token": "shpat_" + HEX[:32],
    "frontdesk key": "fd-" + ALNUM[:43],
    "json web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
}


def secrets(text):
    return [(one.detail, text[one.start : one.end]) for one in find(text) if one.kind == "secret"]


@pytest.mark.parametrize(("detail", "token"), TOKENS.items())
@pytest.mark.parametrize("around", ["{}", "my key is {}, keep it", 'token="{}";', "密钥是{}。"])
def test_a_token_is_found_whole(detail, token, around):
    assert secrets(around.format(token)) == [(detail, token)]


@pytest.mark.parametrize("comment", ["# pragma: allowlist secret", "# pragma: whitelist secret", "// nosec"])
def test_no_comment_in_a_message_switches_detection_off(comment):
    for token in TOKENS.values():
        assert [value for _, value in secrets(f"{token} {comment}")] == [token]
        assert [value for _, value in secrets(f"{comment}\n{token}")] == [token]


PLAIN = [
    "password: hunter2 is not a good password, api_key = none, secret: we like you",
    "My secret is that I like the keyword 'password' and the token economy.",
    "The Quick Brown Fox Jumps Over The Lazy Dog, Zq8Kx2Lm9Pv4Rt7Wy1Bn3Cd6Fg5Hj0",
    "Donaudampfschifffahrtsgesellschaftskapitän and pneumonoultramicroscopicsilicovolcanoconiosis",
    "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709 d41d8cd98f00b204e9800998ecf8427e",
    "APARTMENTCOMPLEX AKC-registered; see sk-learn-tutorial-2023-for-beginners",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "What does -----BEGIN RSA PRIVATE KEY----- mean in a file?",
    "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n-----END CERTIFICATE-----",
    "eyJ is how a token begins; eyJhbGciOiJub25lIn0.notjson is none",
    "https://example.com/a/very/long/path/with-many-words-in-it-2023/index.html?x=1&y=2",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_sentences_and_hashes_are_no_keys(text):
    assert secrets(text) == []


def test_a_key_longer_than_its_pattern_is_taken_to_its_end():
    key = "sk-proj-" + ALNUM[:74] + "T3BlbkFJ" + ALNUM[:74]
    assert secrets(f"use {key} here") == [("openai key", key)]


def test_a_token_in_a_word_without_spaces_is_found():
    token = TOKENS["github token"]
    text = "x" * 700 + "/" + token + "/" + "y" * 700
    assert secrets(text) == [("github token", token)]
    assert secrets(f"x{token}") == []  # part of another word


def test_only_the_value_goes_where_words_before_it_betray_it():
    key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert secrets(f'aws_secret_access_key = "{key}"') == [("aws secret key", key)]
    assert secrets("//registry.example.com/:_authToken=npm_" + ALNUM[:36]) == [
        ("npm token", "npm_" + ALNUM[:36])
    ]
    assert secrets("postgres://bob:s3cr3t@db.example.com/x") == [("password in an address", "s3cr3t")]


BODY = "MIIEvQIBADANBgkqhkiG9w0BAQ\nabcdefghijklmnop+/\nab=="


@pytest.mark.parametrize(
    "name", ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
)
def test_a_private_key_is_found_from_its_first_line_to_its_last(name):
    key = f"-----BEGIN {name}-----\n{BODY}\n-----END {name}-----"
    assert secrets(f"here:\n{key}\nthanks") == [("private key", key)]
    half = f"-----BEGIN {name}-----\n{BODY}"
    assert secrets(f"here:\n{half}") == [("private key", half)]
    assert secrets(f"-----BEGIN {name}-----") == [
        ("private key", f"-----BEGIN {name}-----")
    ]  # more may follow
    assert secrets(f"the file begins with BEGIN {name} and ends with END {name}") == []
    once = key.replace("\n", "\\n")
    assert secrets(f'"{once}"') == [("private key", once)]


def test_a_key_of_putty_is_found_and_its_name_alone_is_none():
    key = f"PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPublic-Lines: 1\n{BODY}\nPrivate-MAC: 0a1b2c"
    assert secrets(f"{key}\nthanks") == [("private key", key)]
    assert secrets("the file begins with PuTTY-User-Key-File-2: and the kind of key") == []
