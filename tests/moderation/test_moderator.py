"""The moderator, and the promise that every check keeps: the same tests over a fake one and the real ones."""

from __future__ import annotations

import pytest

from moderation import Context, Finding, ModerationFailed, Moderator
from moderation.policy import load
from moderation.rules import LengthCheck, RuleCheck
from tests.moderation.conftest import Told


class Answers:
    name = "answers"

    def __init__(self, answer):
        self.answer = answer

    async def judge(self, text, *, direction):
        return self.answer


@pytest.fixture(params=["told", "rules", "length"])
def check(request):
    return {
        "told": Told({"AKIAIOSFODNN7EXAMPLE": Finding("told", "redact", replacement="[key removed]")}),
        "rules": RuleCheck(load().rules),
        "length": LengthCheck(max_chars=10),
    }[request.param]


@pytest.mark.parametrize("direction", ["input", "output"])
@pytest.mark.parametrize(
    "text", ["", "x", "a key AKIAIOSFODNN7EXAMPLE here", "\u200b", "你好。" * 9, "\x00\ud800"]
)
async def test_a_check_answers_with_findings_inside_the_text_and_keeps_no_memory(check, text, direction):
    def listed(found):
        return [found] if isinstance(found, Finding) else list(found or ())

    first = listed(await check.judge(text, direction=direction))
    await check.judge("something else", direction=direction)
    assert listed(await check.judge(text, direction=direction)) == first
    for finding in first:
        assert finding.check.startswith(check.name)
        assert finding.action in ("review", "redact", "block")
        assert finding.span is None or 0 <= finding.span[0] < finding.span[1] <= len(text)
    verdict = await Moderator([check], policy="7").check(text, direction=direction)
    assert verdict.policy == "7"
    assert verdict.findings == tuple(first)


@pytest.mark.parametrize("fixture", ["told", "rules"])
async def test_checks_that_redact_do_so_alike(fixture):
    fake = Told({"AKIAIOSFODNN7EXAMPLE": Finding("told", "redact", replacement="[key removed]")})
    chosen = {"told": fake, "rules": RuleCheck(load().rules)}[fixture]
    verdict = await Moderator([chosen], policy="7").check("key AKIAIOSFODNN7EXAMPLE.", direction="output")
    assert (verdict.action, verdict.text) == ("redact", "key [key removed].")


async def test_no_checks_or_empty_text_allow():
    assert (await Moderator([], policy="p").check("anything", direction="input")).text == "anything"
    verdict = await Moderator.from_policy().check("", direction="input")
    assert (verdict.action, verdict.text) == ("allow", "")


@pytest.mark.parametrize(
    "answer", [None, (), [], Finding("answers", "review"), [Finding("answers", "review")]]
)
async def test_a_check_may_answer_nothing_one_finding_or_several(answer):
    verdict = await Moderator([Answers(answer)], policy="p").check("text", direction="input")
    assert verdict.action == ("review" if answer else "allow")


@pytest.mark.parametrize(
    "nonsense",
    [
        3,
        "block",
        [None],
        Finding("a", "explode"),
        Finding("a", "block", span=(2, 99)),
        Finding("a", "block", span=(3, 3)),
    ],
)
async def test_a_check_that_answers_nonsense_fails_closed(nonsense):
    with pytest.raises(ModerationFailed) as failed:
        await Moderator([Answers(nonsense)], policy="p").check("text", direction="input")
    assert failed.value.check == "answers"
    assert failed.value.__cause__


async def test_a_check_that_raises_fails_closed(told):
    told.fails = True
    with pytest.raises(ModerationFailed, match="'told' failed"):
        await Moderator([told], policy="p").check("text", direction="input")


async def test_the_strongest_action_wins_and_a_block_ends_the_asking(told):
    review, block = Answers(Finding("r", "review")), Answers(Finding("b", "block"))
    verdict = await Moderator([review, block, told], policy="p").check("text", direction="input")
    assert verdict.action == "block"
    assert [finding.check for finding in verdict.findings] == ["r", "b"]
    assert told.read == []


async def test_a_blocked_text_is_not_rewritten(told):
    told.words = {"a": Finding("told", "redact"), "b": Finding("told", "block")}
    assert (await Moderator([told], policy="p").check("a b", direction="input")).text == "a b"


@pytest.mark.parametrize(
    ("spans", "shown"),
    [
        ([(0, 2)], "[removed]cdef"),
        ([(4, 6), (1, 2)], "a[removed]cd[removed]"),
        ([(1, 4), (2, 5)], "a[removed]f"),
        ([(1, 5), (2, 3)], "a[removed]f"),
        ([None], "[removed]"),
        ([(1, 2), (1, 2)], "a[removed]cdef"),
    ],
)
async def test_redactions_replace_their_spans(spans, shown):
    check = Answers([Finding("a", "redact", span=span) for span in spans])
    assert (await Moderator([check], policy="p").check("abcdef", direction="output")).text == shown


async def test_a_finding_wholly_in_the_context_is_not_counted_again(told, block):
    told.words["bad"] = block
    house = Moderator([told], policy="p")
    assert (await house.check(" and on", direction="output", context=Context("bad"))).action == "allow"
    verdict = await house.check("d", direction="output", context=Context("ba"))
    assert verdict.action == "block"
    assert verdict.findings[0].span == (-2, 1)


async def test_a_finding_about_the_whole_counts_with_context_too():
    house = Moderator([Answers(Finding("a", "block"))], policy="p")
    assert (await house.check("x", direction="output", context=Context("y"))).action == "block"


async def test_a_redaction_that_began_hidden_goes_on_without_a_second_replacement(told):
    told.words["secret"] = Finding("told", "redact", replacement="[x]")
    house = Moderator([told], policy="p")
    shown = await house.check("cret now", direction="output", context=Context("a se"))
    hidden = await house.check("cret now", direction="output", context=Context("a se", hidden=2))
    assert (shown.text, hidden.text) == ("[x] now", " now")


async def test_the_context_keeps_a_redaction_that_may_go_on_and_else_the_last_sentences(told):
    told.words["k" * 500] = Finding("told", "redact")
    house, text = Moderator([told], policy="p"), "x" * 100 + "k" * 500
    open_ended = Context().after(text, await house.check(text, direction="output"))
    assert open_ended == Context(text="k" * 500, hidden=500)
    closed = open_ended.after(" end", await house.check(" end", direction="output", context=open_ended))
    assert closed == Context(text="k" * 196 + " end", hidden=0)
