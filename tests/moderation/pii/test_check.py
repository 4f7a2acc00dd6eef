"""What the moderator's check makes of findings, by the policy's treatment of each kind."""

from __future__ import annotations

import pytest

from moderation.pii import Finder, Vault
from moderation.pii.check import SHORT, PiiCheck
from moderation.verdict import redacted

TEXT = "I am jo@example.com, card 4242424242424242, at 8.8.8.8"


def check(**treatments):
    return PiiCheck({kind.replace("_", "-"): treatment for kind, treatment in treatments.items()})


async def shown(one, text, *, direction="input", **more):
    return redacted(text, await one.judge(text, direction=direction, **more))


async def test_masked_values_go_into_the_vault_and_come_back():
    vault = Vault((TEXT,))
    masked = await shown(check(email="mask", card="mask"), TEXT, vault=vault)
    assert masked == "I am [EMAIL_1], card [CARD_1], at 8.8.8.8"
    assert vault.restore(masked) == TEXT


async def test_without_a_vault_words_stand_for_what_was_masked():
    assert await shown(check(email="mask"), TEXT) == TEXT.replace("jo@example.com", "[e-mail removed]")


async def test_redacted_values_never_come_back():
    vault = Vault()
    text = await shown(check(email="redact", card="mask"), TEXT, vault=vault)
    assert text == "I am [e-mail removed], card [CARD_1], at 8.8.8.8"


@pytest.mark.parametrize("action", ["block", "review"])
async def test_a_kind_can_be_blocked_or_reported(action):
    (finding,) = await check(card=action).judge(TEXT, direction="input", vault=Vault())
    assert (finding.check, finding.action, finding.category, finding.reason) == (
        "pii/card",
        action,
        "pii",
        "visa",
    )


async def test_allowed_kinds_are_not_findings():
    assert await check(email="allow").judge(TEXT, direction="input") == ()
    assert await check(secret="mask").judge(TEXT, direction="input") == []


async def test_an_answer_gets_words_and_may_name_the_houses_own_address():
    one = check(email="mask")
    text = "Write to desk@example.com or jo@example.com, see [EMAIL_1]"
    assert await shown(one, text, direction="output", vault=Vault()) == (
        "Write to [e-mail removed] or [e-mail removed], see [EMAIL_1]"
    )
    assert await shown(one, text, direction="output", system="Our address: desk@example.com.") == (
        "Write to desk@example.com or [e-mail removed], see [EMAIL_1]"
    )


async def test_what_was_hidden_before_and_what_looks_like_a_placeholder_is_covered_too():
    one, vault = check(email="mask", phone="mask"), Vault()
    assert await shown(one, "my phone is 4155552671", vault=vault) == "my phone is [PHONE_1]"
    again = "4155552671 is [PHONE_1]"
    masked = await shown(one, again, vault=vault)
    assert masked == "[PHONE_1] is [TEXT_1]"
    assert vault.restore(masked) == again


async def test_a_long_text_is_read_beside_the_loop(monkeypatch):
    import threading

    threads = []

    class Watched(Finder):
        def find(self, text):
            threads.append(threading.current_thread() is threading.main_thread())
            return super().find(text)

    one = PiiCheck({"email": "mask"}, finder=Watched())
    await one.judge("a" * SHORT, direction="input")
    await one.judge("a" * (SHORT + 1), direction="input")
    assert threads == [True, False]
