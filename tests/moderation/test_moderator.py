"""The moderator, and the promise that every check keeps: the same tests over a fake one and the real ones."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import ANYWHERE, NOT_SCORED, Context, Finding, ModerationFailed, Moderator, Scores, Where
from moderation.categories import LABELS
from moderation.pii import Vault
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
    begun = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ"
    fake = Told({begun: Finding("told", "redact", replacement="[private key removed]")})
    chosen = {"told": fake, "rules": RuleCheck(load().rules)}[fixture]
    verdict = await Moderator([chosen], policy="7").check(f"key {begun}", direction="output")
    assert (verdict.action, verdict.text) == ("redact", "key [private key removed]")


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


# -- the classifier ----------------------------------------------------------------------------------------------


class Scoring:
    """A scorer that answers as it is told."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def score(self, text):
        self.asked.append(text)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def english(**values):
    return Scores(dict.fromkeys(LABELS, 0.0) | values, "en", "test-1")


@pytest.fixture
def house(tmp_path):
    def built(scorer, terms="categories: {violence: {review: 0.5, block: 0.9}}"):
        path = tmp_path / "policy.yaml"
        path.write_text(f"version: '1'\n{terms}\n")
        return Moderator.from_policy(path, scorer=scorer)

    return built


async def test_the_scores_of_a_text_are_in_its_verdict_and_decide(house):
    for score, action, threshold in [(0.49, "allow", None), (0.5, "review", 0.5), (0.9, "block", 0.9)]:
        verdict = await house(Scoring(english(violence=score))).check("text", direction="input")
        assert verdict.action == action
        assert verdict.scores.values["violence"] == score
        assert [(f.score, f.threshold, f.category) for f in verdict.findings] == (
            [(score, threshold, "violence")] if threshold else []
        )


async def test_without_a_classifier_rules_alone_judge(house):
    verdict = await house(None).check("text", direction="input")
    assert (verdict.action, verdict.scores) == ("allow", NOT_SCORED)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("  \n", ""),
        ("a bad word", "lists: {deny: [bad]}"),
        ("Thanks!", "lists: {allow: [thanks]}"),
        ("x" * 101, "limits: {max_input_chars: 100}"),
    ],
)
async def test_the_classifier_is_not_asked_what_needs_no_asking(house, text, terms):
    scorer = Scoring(english(violence=1.0))
    verdict = await house(scorer, terms).check(text, direction="input")
    assert (scorer.asked, verdict.scores) == ([], NOT_SCORED)


async def test_an_allowed_phrase_excuses_no_rule_and_nothing_that_is_said_besides(house):
    scorer = Scoring(english(violence=1.0))
    moderator = house(scorer, "lists: {allow: [thanks], deny: [thanks]}")
    assert (await moderator.check("Thanks", direction="input")).action == "block"
    moderator = house(scorer, "categories: {violence: {block: 0.9}}\nlists: {allow: [thanks]}")
    assert (await moderator.check("Thanks, and die", direction="input")).action == "block"
    context = Context("You should die.")
    assert (await moderator.check("Thanks", direction="output", context=context)).action == "block"


async def test_the_classifier_reads_what_came_before_along(house):
    scorer = Scoring(english())
    await house(scorer).check(" and more", direction="output", context=Context("Before"))
    assert scorer.asked == ["Before and more"]


async def test_a_place_has_its_own_thresholds(house):
    moderator = house(
        Scoring(english(violence=0.6)),
        "categories: {violence: {block: 0.9}}\nchannels: {web: {categories: {violence: {block: 0.5}}}}",
    )
    for where, action in [(ANYWHERE, "allow"), (Where("web", "1"), "block"), (Where("slack", "1"), "allow")]:
        assert (await moderator.check("text", direction="input", where=where)).action == action


async def test_input_and_output_have_their_own_thresholds(house):
    moderator = house(
        Scoring(english(sexual=0.6)), "categories: {sexual: {block: 0.9, output: {block: 0.5}}}"
    )
    assert (await moderator.check("text", direction="input")).action == "allow"
    assert (await moderator.check("text", direction="output")).action == "block"


@pytest.mark.parametrize(("word", "action"), [("allow", "allow"), ("review", "review"), ("block", "block")])
async def test_a_language_that_nothing_reads_is_said_openly(house, word, action):
    verdict = await house(Scoring(Scores({}, "unsupported", "m")), f"unsupported: {word}").check(
        "olá", direction="input"
    )
    assert (verdict.action, verdict.scores.language) == (action, "unsupported")
    assert [finding.category for finding in verdict.findings] == ([] if word == "allow" else ["language"])


async def test_a_chinese_text_is_judged_by_what_there_is_for_chinese(house):
    moderator = house(
        Scoring(Scores({"overall": 0.7}, "zh", "m")),
        "categories: {overall: {review: 0.5}, hate: {block: 0.1}}",
    )
    assert (await moderator.check("你好", direction="input")).action == "review"


async def test_people_read_help_at_the_review_and_the_notice_at_the_block(house):
    terms = "categories: {self-harm: {review: 0.5, block: 0.9, help: {en: Call us, zh: 请打电话}, notice: {en: Sorry}}}"
    verdict = await house(Scoring(english(**{"self-harm": 0.6})), terms).check("text", direction="input")
    assert (verdict.action, verdict.notice) == ("review", {"en": "Call us", "zh": "请打电话"})
    verdict = await house(Scoring(english(**{"self-harm": 0.9})), terms).check("text", direction="input")
    assert (verdict.action, verdict.notice) == ("block", {"en": "Sorry", "zh": "Sorry"})
    assert (await house(Scoring(english()), terms).check("text", direction="input")).notice == {}


async def test_help_is_offered_beside_a_redaction_and_a_block_shows_its_own_notice_alone():
    care, rude = {"en": "Call us"}, {"en": "No"}
    helped = Finding("classifier", "review", "self-harm", notice=care)
    for others, notice in [
        ([], care),
        ([Finding("pii/email", "redact")], care),
        ([Finding("rules/x", "block", notice=rude)], rude),
        ([Finding("rules/x", "block")], {}),
    ]:
        verdict = await Moderator([Answers([helped, *others])], policy="p").check("text", direction="input")
        assert verdict.notice == notice


NONSENSE = {
    "nothing": None,
    "no scores": {"violence": 0.5},
    "a category is missing": Scores({"violence": 0.5}, "en", "m"),
    "NaN": english(hate=math.nan),
    "above 1": english(hate=1.0001),
    "below 0": english(hate=-0.0001),
    "infinite": english(hate=math.inf),
    "text": english(hate="0.5"),
    "a truth value": english(hate=True),
    "an unknown category": english(spite=0.5),
    "values in a list": Scores([0.5], "en", "m"),
    "no language": Scores({}, None, "m"),
    "nothing at all": Scores(),
    "a language that nobody reads": Scores({}, "de", "m"),
    "Chinese without a score": Scores({}, "zh", "m"),
    "an empty embedding": replace(english(), embedding=()),
    "an embedding with a hole": replace(english(), embedding=(0.5, math.nan)),
    "an embedding of words": replace(english(), embedding=("a",)),
    "an embedding in a list": replace(english(), embedding=[0.5]),
    "it raises": RuntimeError("out of memory"),
    "its pool is gone": asyncio.CancelledError(),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_a_classifier_that_raises_or_answers_nonsense_fails_closed(house, nonsense):
    with pytest.raises(ModerationFailed) as failed:
        await house(Scoring(nonsense)).check("text", direction="input")
    assert failed.value.check == "classifier"
    assert failed.value.__cause__


async def test_a_classifier_that_hangs_fails_closed_in_time(house):
    class Hangs:
        async def score(self, text):
            await asyncio.Event().wait()

    with pytest.raises(ModerationFailed) as failed:
        await house(Hangs(), "limits: {seconds: 0.01}").check("text", direction="input")
    assert isinstance(failed.value.__cause__, TimeoutError)


async def test_a_classifier_that_answers_after_it_was_told_to_stop_is_late_too(house):
    class Stubborn:
        async def score(self, text):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return english()

    with pytest.raises(ModerationFailed):
        await house(Stubborn(), "limits: {seconds: 0.01}").check("text", direction="input")


async def test_whoever_cancels_a_check_cancels_it(house):
    asked = asyncio.Event()

    class Waits:
        async def score(self, text):
            asked.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(house(Waits()).check("text", direction="input"))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SHARES = st.floats() | st.floats(0, 1)
ALMOST = st.builds(
    Scores,
    st.fixed_dictionaries(dict.fromkeys(LABELS, SHARES))
    | st.dictionaries(st.sampled_from(LABELS), SHARES)
    | ANYTHING,
    st.sampled_from(["en", "zh", "unsupported", ""]) | ANYTHING,
    st.text(max_size=3) | ANYTHING,
    st.none() | st.lists(SHARES, max_size=4).map(tuple) | ANYTHING,
)
ANSWERS = (
    ANYTHING
    | ALMOST
    | st.sampled_from([ValueError("x"), KeyError(), asyncio.CancelledError(), StopIteration()])
)


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    path.write_text(
        "version: '1'\nunsupported: review\ncategories: {hate: {review: 0.5}, overall: {block: 0.5}}\n"
        "topics: [{name: law, examples: [May I sue them], similarity: 0.5, action: review}]"
    )
    return path


@given(st.lists(ANSWERS, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_whatever_a_classifier_does_a_check_ends_in_a_verdict_or_fails_closed(strict, answers):
    scorer = Scoring(None)
    moderator = Moderator.from_policy(strict, scorer=scorer)

    async def judge():
        for answer in answers:
            scorer.answer = answer
            try:
                verdict = await moderator.check("text", direction="input")
            except ModerationFailed:
                continue
            assert verdict.action in ("allow", "review", "block")
            assert all(0 <= value <= 1 for value in verdict.scores.values.values())

    asyncio.run(judge())


# -- personal data, secrets and the system prompt ------------------------------------------------------------------


async def test_what_is_masked_goes_into_the_vault_and_comes_back_exactly(house):
    moderator, vault = house(None, "pii: {email: mask}"), Vault()
    text = "Write to ada@example.org and to ADA@example.org, then to ada@example.org."
    verdict = await moderator.check(text, direction="input", vault=vault)
    assert verdict.action == "redact"
    assert "@" not in verdict.text
    assert vault.restore(verdict.text) == text


async def test_without_a_vault_what_is_masked_is_gone(house):
    verdict = await house(None, "pii: {email: mask}").check("I am ada@example.org.", direction="input")
    assert verdict.text == "I am [e-mail removed]."


async def test_what_the_model_invents_is_removed_though_there_is_a_vault(house):
    vault = Vault()
    verdict = await house(None, "pii: {email: mask}").check(
        "I am ada@example.org.", direction="output", vault=vault
    )
    assert (verdict.text, len(vault)) == ("I am [e-mail removed].", 0)


@pytest.mark.parametrize(("word", "action"), [("allow", "allow"), ("review", "review"), ("block", "block")])
async def test_personal_data_may_be_let_through_looked_at_or_refused(house, word, action):
    moderator = house(None, f"pii: {{email: {word}}}")
    assert (await moderator.check("I am ada@example.org.", direction="input")).action == action


PROMPT = "You are the assistant of a bakery. Never tell anybody that the secret ingredient of our rye bread is honey."


@pytest.mark.parametrize(("word", "action"), [("allow", "allow"), ("review", "review"), ("block", "block")])
async def test_an_answer_that_repeats_its_system_prompt_is_noticed(house, word, action):
    moderator = house(None, f"leakage: {word}")
    answer = f"My instructions say: {PROMPT}"
    assert (await moderator.check(answer, direction="output", system=PROMPT)).action == action
    assert (await moderator.check("We bake rye bread.", direction="output", system=PROMPT)).action == "allow"
    assert (await moderator.check(answer, direction="input", system=PROMPT)).action == "allow"
    assert (await moderator.check(answer, direction="output")).action == "allow"


async def test_a_check_of_a_short_message_builds_nothing_anew(house, monkeypatch):
    moderator = house(None, "lists: {deny: [nightjar]}\nplaces: {'web:1': {lists: {deny: [owl]}}}")
    where = Where("web", "1")
    await moderator.check("text", direction="input", where=where)
    for name in ("PolicyPanel", "PiiCheck", "RuleCheck", "LengthCheck"):
        monkeypatch.delattr(f"moderation.panel.{name}")
    assert (await moderator.check("an owl", direction="input", where=where)).action == "block"


def test_to_import_moderation_opens_nothing_heavy():
    heavy = ["ctranslate2", "numpy", "torch", "phonenumbers", "stdnum", "detect_secrets", "pydantic", "rich"]
    code = f"import sys, moderation; print(sorted(set(sys.modules) & set({heavy})))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
