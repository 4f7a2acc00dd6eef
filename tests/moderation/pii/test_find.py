"""What is found in a text, where exactly, and what only looks like it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.pii import KINDS, Finder, find

FOUND = [
    ("email", "write to jo.doe+news@mail.example.co.uk, please", "jo.doe+news@mail.example.co.uk"),
    ("email", "我的邮箱是abc@qq.com谢谢", "abc@qq.com"),
    ("email", "an почта@пример.рф bitte", "почта@пример.рф"),
    ("email", "jo [at] example [dot] com", "jo [at] example [dot] com"),
    ("email", "ｊｏ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ｊｏ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
    ("email", "Jo <jo@example.com>;", "jo@example.com"),
    ("phone", "call me at (415) 555-2671 tomorrow", "(415) 555-2671"),
    ("phone", "415.555.2671 is mine", "415.555.2671"),
    ("phone", "it's 555-123-4567", "555-123-4567"),
    ("phone", "+1 (555) 123-4567", "+1 (555) 123-4567"),
    ("phone", "tel:+442079460958", "+442079460958"),
    ("phone", "0044 20 7946 0958", "0044 20 7946 0958"),
    ("phone", "Ruf an: 030/12345678.", "030/12345678"),
    ("phone", "appelez le 06 12 34 56 78", "06 12 34 56 78"),
    ("phone", "(11) 91234-5678", "(11) 91234-5678"),
    ("phone", "我的手机号是13812345678，谢谢", "13812345678"),
    ("phone", "13812345678", "13812345678"),
    ("phone", "my number is 4155552671", "4155552671"),
    ("phone", "my mobile: 07911 123456", "07911 123456"),
    ("phone", "call 415-555-2671 12 times", "415-555-2671"),
    ("phone", "+44\u00a020\u20117946\u20110958", "+44\u00a020\u20117946\u20110958"),
    ("card", "pay with 4242 4242 4242 4242 today", "4242 4242 4242 4242"),
    ("card", "5555-5555-5555-4444, 12/27, 123", "5555-5555-5555-4444"),
    ("card", "amex 378282246310005", "378282246310005"),
    ("card", "3782 822463 10005 exp 12 27", "3782 822463 10005"),
    ("card", "4242 4242 4242 4242 123", "4242 4242 4242 4242"),
    ("card", "４２４２　４２４２　４２４２　４２４２", "４２４２　４２４２　４２４２　４２４２"),
    ("card", "4242\u200b4242\u200b4242\u200b4242", "4242\u200b4242\u200b4242\u200b4242"),
    ("card", "卡号，6200000000000005。", "6200000000000005"),
    ("iban", "IBAN DE89 3704 0044 0532 0130 00 THANKS A LOT", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432", "gb82west12345698765432"),
    ("iban", "MT84 MALT 0110 0001 2345 MTLC AST0 01S", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
    ("ip", "it came from 8.8.8.8:443", "8.8.8.8"),
    ("ip", "ping 203.0.113.7.", "203.0.113.7"),
    ("ip", "and 2001:db8::8a2e:370:7334,", "2001:db8::8a2e:370:7334"),
    ("national-id", "SSN: 123-45-6789", "123-45-6789"),
    ("national-id", "my social security number is 123456789", "123456789"),
    ("national-id", "NI number QQ 12 34 56 C", "QQ 12 34 56 C"),
    ("national-id", "身份证11010519491231002X", "11010519491231002X"),
    ("national-id", "Meine Steuer-ID: 36 574 261 809", "36 574 261 809"),
    ("national-id", "NIR 2 95 10 99 126 111 93", "2 95 10 99 126 111 93"),
    ("national-id", "DNI 54362315K", "54362315K"),
    ("national-id", "NIE X-2482300-W", "X-2482300-W"),
    ("national-id", "rccmnl83s18d969h", "rccmnl83s18d969h"),
    ("national-id", "mijn BSN is 111222333", "111222333"),
    ("national-id", "CPF 390.533.447-05", "390.533.447-05"),
    ("national-id", "2341 2341 2346", "2341 2341 2346"),
    ("national-id", "PAN ACUPA7085R", "ACUPA7085R"),
    ("national-id", "PESEL 44051401359", "44051401359"),
    ("national-id", "NHS number 943 476 5870", "943 476 5870"),
    ("national-id", "131052-308T", "131052-308T"),
    ("national-id", "AHV 756.9217.0769.85", "756.9217.0769.85"),
]


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_it_is_found_where_it_stands(kind, text, value):
    assert [(one.kind, text[one.start : one.end]) for one in find(text)] == [(kind, value)]


def test_several_are_found_in_the_order_of_the_text():
    text = "jo@example.com or (415) 555-2671, card 4242424242424242; jo@example.com"
    assert [one.kind for one in find(text)] == ["email", "phone", "card", "email"]


PLAIN = [
    "My order 4929123 has not arrived; call 555-0100.",
    "ISBN 978-3-16-148410-0, order 20231123-0001",
    "order number is 4155552671",
    "订单号13812345678",
    "invoice #415-555-2671",
    "Timestamps such as 1700000000000 are milliseconds, 1700000000 are seconds.",
    "Pi is 3.14159265358979323846 and 2**64 is 18446744073709551616.",
    "It cost $1,234,567.89, or 1.234.567,89 €, or 1 234 567 in all.",
    "on 2023-11-24 10:30:45, on 24.11.2023 at 10.30, on 11/24/2023 and 24/11/2023",
    "from 01.02.2023 10:30 to 2023-11-24T10:30:45.123456Z",
    "version 1.2.3.4, v10.0.19045.3693, firmware 2.4.1.9, Chrome 120.0.6099.109",
    "127.0.0.1 and 192.168.0.1, 10.0.0.7 and 0.0.0.0; 255.255.255.0; ::1; fe80::1",
    "std::vector<int> a::b; 10:30:45; 00:1A:2B:3C:4D:5E",
    "logo@2x.png, git@github.com:jo/repo.git, @jo, lodash@4.17.21, a @ b",
    "4242 4242 4242 4241 has the wrong sum",
    "IBAN DE89 3704 0044 0532 0130 01 has the wrong sum",
    "item 123456789012, batch 44051401359, SKU 111222333, model 12345678",
    "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "id 550e8400-e29b-41d4-a716-446655440000",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    "the rooms 101 102 103 104 105 106 and the years 1998 1999 2000 2001 2002",
    "call me maybe, at 9 or 10, 12 times 12 is 144",
    "x = 5+12345678901; y = 100000000",
    "https://example.com/items/4155552671?ref=13812345678",
    "The score was 21-19, 18-21, 21-15; 2-1 after 90+3 minutes.",
    "12345678B",
    "",
    "好的，没有号码。",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_looks_like_it_is_left_alone(text):
    assert find(text) == ()


def test_a_number_of_another_country_is_found_once_its_region_is_named():
    text = "je staat op 8675309"
    assert Finder(regions=()).find("(415) 555-2671") == ()
    assert Finder(regions=("US",)).find("(415) 555-2671") != ()
    assert Finder(regions=()).find("+1 415 555 2671") != ()
    assert find(text) == ()


PIECES = st.sampled_from(
    [
        *(text for _, text, _ in FOUND),
        *PLAIN,
        "\u200b",
        "４",
        "½",
        "é\u0301",
        "👩‍👩‍👧",
        "[EMAIL_1]",
        "-----BEGIN",
        "@",
        "+",
        "eyJ",
    ]
)


@given(st.lists(PIECES | st.text(max_size=6), max_size=5).map("".join))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_and_its_findings_are_apart_and_inside(text):
    end = 0
    for one in find(text):
        assert one.kind in KINDS
        assert end <= one.start < one.end <= len(text)
        end = one.end


HOSTILE = [
    "4242 ",
    "123-45-6789 ",
    "415 555 2671 ",
    "a@",
    "a.",
    "1.1.1.1.",
    "eyJ",
    "sk-",
    "DE89 ",
    "://a:b",
    "//",
    "+1",
    "a:a:",
    "AKIA",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_text_made_to_be_slow_is_not(unit):
    text = (unit * 16_000)[:16_000]
    began = time.process_time()
    find(text)
    assert time.process_time() - began < 1.5
