"""Topic limits: what means about the same as an example."""

from __future__ import annotations

import pytest

from moderation import ModerationFailed, Moderator, Scores, Where
from moderation.categories import LABELS

EMBEDDINGS = {
    "May I sue them?": (1.0, 0.0, 0.0),
    "Is that legal?": (0.8, 0.6, 0.0),
    "Which pill helps?": (0.0, 0.0, 1.0),
    "Can I take them to court?": (0.6, 0.0, 0.8),
    "Hello": (0.0, 1.0, 0.0),
    "long": (3.0, 0.0, 0.0),
    "nothing": (0.0, 0.0, 0.0),
    "opposite": (-1.0, 0.0, 0.0),
    "wide": (1.0, 0.0),
}
TERMS = """\
version: '1'
topics:
  - name: law
    examples: ["May I sue them?", "Is that legal?"]
    similarity: 0.9
    action: block
    notice: {en: Ask a lawyer., zh: 请咨询律师。}
  - {name: health, examples: ["Which pill helps?"], similarity: 0.7, action: review, direction: both}
channels:
  api: {topics: [{name: law, action: allow}]}
"""


class Embeds:
    def __init__(self):
        self.asked = []
        self.fails = False

    async def score(self, text):
        self.asked.append(text)
        if self.fails:
            raise RuntimeError("out of order")
        return Scores(dict.fromkeys(LABELS, 0.0), "en", "m", EMBEDDINGS.get(text))


@pytest.fixture
def scorer():
    return Embeds()


@pytest.fixture
def house(tmp_path, scorer):
    path = tmp_path / "policy.yaml"
    path.write_text(TERMS)
    return Moderator.from_policy(path, scorer=scorer)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("May I sue them?", ["topics/law"]),
        ("long", ["topics/law"]),
        ("Can I take them to court?", ["topics/health"]),
        ("Hello", []),
        ("nothing", []),
        ("opposite", []),
        ("none at all", []),
    ],
)
async def test_a_text_near_an_example_is_of_its_topic(house, text, found):
    verdict = await house.check(text, direction="input")
    assert [finding.check for finding in verdict.findings] == found


async def test_a_topic_says_how_near_and_what_people_read(house):
    verdict = await house.check("May I sue them?", direction="input")
    [finding] = verdict.findings
    assert (finding.action, finding.category, finding.threshold) == ("block", "topic/law", 0.9)
    assert finding.score == pytest.approx(1.0)
    assert verdict.notice == {"en": "Ask a lawyer.", "zh": "请咨询律师。"}


async def test_a_topic_is_limited_in_its_own_direction(house):
    assert (await house.check("May I sue them?", direction="output")).action == "allow"
    assert (await house.check("Can I take them to court?", direction="output")).action == "review"


async def test_a_topic_switched_off_on_a_channel_is_off_there(house):
    assert (await house.check("May I sue them?", direction="input", where=Where("api"))).action == "allow"
    assert (await house.check("May I sue them?", direction="input", where=Where("web"))).action == "block"


async def test_examples_are_embedded_once_for_all_places(house, scorer):
    await house.prepare()
    assert sorted(scorer.asked) == ["Is that legal?", "May I sue them?", "Which pill helps?"]
    for where in (Where(), Where("api"), Where("web")):
        await house.check("Hello", direction="input", where=where)
    assert scorer.asked[3:] == ["Hello"] * 3


async def test_topics_whose_examples_have_no_embedding_are_named_and_off(tmp_path, scorer):
    path = tmp_path / "policy.yaml"
    path.write_text("version: '1'\ntopics: [{name: 法律, examples: [我能起诉吗], action: block}]")
    house = Moderator.from_policy(path, scorer=scorer)
    assert await house.prepare() == ("法律",)
    assert (await house.check("我能起诉吗", direction="input")).action == "allow"
    assert await Moderator.from_policy(path).prepare() == ("法律",)  # no classifier at all


async def test_examples_that_could_not_be_embedded_fail_closed_until_they_can(house, scorer):
    scorer.fails = True
    with pytest.raises(ModerationFailed):
        await house.check("May I sue them?", direction="input")
    scorer.fails = False
    assert (await house.check("May I sue them?", direction="input")).action == "block"


async def test_an_embedding_of_another_width_fails_closed(house):
    with pytest.raises(ModerationFailed, match="topics"):
        await house.check("wide", direction="input")
