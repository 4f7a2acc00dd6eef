"""A converted model says what torch's model says."""

import random
from pathlib import Path

import ctranslate2
import pytest

from inference import library
from inference.chat import Chat, Turn
from inference.training import tokenizer as words
from inference.training import topics
from inference.training.apart import HeldOut
from inference.training.conversations import Conversation, Conversations, Exchange
from inference.training.questions import Questions

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TALK = Conversation(
    "Be brief.", [Exchange("Hi, who are you?", "Frontdesk."), Exchange("And then?", "Ask me.")]
)


@pytest.fixture(scope="module")
def conversations() -> Conversations:
    return Conversations(Questions(topics.load(), held_out=HeldOut(())))


@pytest.fixture(scope="module")
def tokenizer(conversations: Conversations) -> words.Tokenizer:
    return words.train(conversations, seed=1, vocabulary=400, sample=60)


def test_training_reads_a_conversation_as_the_chat_template_does(
    tokenizer: words.Tokenizer, tmp_path: Path
) -> None:
    from inference.training import export

    export._describe(tokenizer, tmp_path)
    chat = Chat.load(tmp_path)
    ids, answers = words.Encoder(tokenizer).conversation(TALK)
    turns = [Turn("system", TALK.system)]
    for exchange in TALK.exchanges:
        turns.append(Turn("user", exchange.question))
        prompt = chat.prompt(turns)
        assert tuple(ids[: len(prompt)]) == prompt
        assert answers[len(prompt) - 1] is False
        assert answers[len(prompt)] is True
        turns.append(Turn("assistant", exchange.answer))


def test_a_cut_answer_ends_early_and_has_no_end(tokenizer: words.Tokenizer) -> None:
    encoder = words.Encoder(tokenizer)
    whole, _ = encoder.conversation(TALK)
    cut, _ = encoder.conversation(TALK, cut=1)
    assert cut == whole[: len(cut)]
    assert cut[-1] != encoder.end
    assert whole[-1] == encoder.end


def test_a_short_training_is_exported_whole_and_answers_alike(
    conversations: Conversations, tokenizer: words.Tokenizer, tmp_path: Path
) -> None:
    from inference.training import evidence
    from inference.training.export import export
    from inference.training.recipe import Plan, Shape, Training

    plan = Plan(
        pretrain_steps=1, steps=2, batch_tokens=512, checkpoint_every=1, threads=1,
        shape=Shape(hidden=64, layers=2, heads=2, feed_forward=96),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "LINES", 50)
        patch.setattr("inference.training.recipe.ROUND", 20)
        training = Training(
            plan=plan, tokenizer=tokenizer, conversations=conversations, folder=tmp_path / "run"
        )
        model = training.finished()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "README.md").write_text("the card", encoding="utf-8")
    export(model, tokenizer, tmp_path / "model", quantization="float32")

    folder = library.read_folder(tmp_path / "model", name="tiny")
    assert folder.context_length == 1024
    assert (folder.path / "README.md").read_text(encoding="utf-8") == "the card"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["model", "run"]
    _same_answers(model, folder.path)


def _same_answers(model: object, folder: Path) -> None:
    chat = Chat.load(folder)
    prompt = chat.prompt([Turn("user", "Hello there")])
    generator = ctranslate2.Generator(str(folder), intra_threads=1)
    [result] = generator.generate_batch(
        [chat.tokens(prompt)], max_length=12, end_token=[], include_prompt_in_result=False
    )
    with torch.no_grad():
        ids = list(prompt)
        for _ in range(12):
            scores = model(input_ids=torch.tensor([ids])).logits[0, -1]  # type: ignore[operator]
            ids.append(int(scores.argmax()))
    assert result.sequences_ids[0] == ids[len(prompt) :]


def test_a_run_goes_on_where_it_stopped(
    conversations: Conversations, tokenizer: words.Tokenizer, tmp_path: Path
) -> None:
    from inference.training import evidence
    from inference.training.recipe import Plan, Shape, Training

    shape = Shape(hidden=64, layers=4, heads=2, feed_forward=32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "LINES", 20)
        patch.setattr("inference.training.recipe.ROUND", 20)
        for steps in (2, 3):
            plan = Plan(
                pretrain_steps=1,
                steps=steps,
                batch_tokens=256,
                checkpoint_every=1,
                threads=1,
                shape=shape,
                grow_at=2,
            )
            training = Training(plan=plan, tokenizer=tokenizer, conversations=conversations, folder=tmp_path)
            training.run()
            assert training.step == steps
            assert training.model.config.num_hidden_layers == {2: 2, 3: 4}[steps]  # grown on the way


def test_the_rates_rise_stay_and_fall() -> None:
    from inference.training.recipe import Plan

    plan = Plan(steps=100, warm=10, fall=0.2)
    assert plan.factor(0) == pytest.approx(0.1)
    assert plan.factor(50) == 1
    assert plan.factor(90) == pytest.approx(0.5)
    assert plan.factor(100) == 0


def test_orthogonal_brings_singular_values_near_one() -> None:
    from inference.training.muon import orthogonal

    torch.manual_seed(random.Random(1).randrange(1000))
    for shape in ((2, 24, 16), (1, 16, 24)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert values.min() > 0.3
        assert values.max() < 1.6
