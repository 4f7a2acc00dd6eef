"""A model of random weights is complete, the same for the same seed, and talks in words and sentences."""

from dataclasses import replace

import pytest

from inference import library, random_model
from inference.chat import Turn
from inference.engine import Engine, Request, Sampling
from tests.inference.conftest import Answer


def test_the_folder_is_a_complete_model_and_depends_on_the_seed_alone(folder, tmp_path):
    assert library.read_folder(folder, name="x").context_length == 512
    same, other = random_model.make(tmp_path / "a"), random_model.make(tmp_path / "b", seed=1)
    weights = [(f / "model.bin").read_bytes() for f in (folder, same, other)]
    assert weights[0] == weights[1] != weights[2]
    with pytest.raises(KeyError):
        random_model.make(tmp_path / "c", shape="huge")


def test_the_large_shapes_weights_are_rounded_to_int8_and_still_talk(chat, prompt, tmp_path, monkeypatch):
    small = replace(random_model.SHAPES["tiny"], int8=True)
    monkeypatch.setitem(random_model.SHAPES, "small", small)
    made = random_model.make(tmp_path / "small", shape="small")
    assert (made / "model.bin").stat().st_size < (
        random_model.make(tmp_path / "b") / "model.bin"
    ).stat().st_size / 2
    answer = Answer()
    with Engine(made, intra_threads=1) as engine:
        request = Request(id="a", prompt=prompt, sampling=Sampling(max_tokens=60))
        engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
        assert answer.reason == "length"
    assert len(set(chat.tokenizer.decode(answer.ids).split())) >= 10


@pytest.mark.parametrize("question", ["Hello", "What is this?", "你好"])
def test_an_answer_is_varied_text_with_sentence_ends_and_runs_to_max_tokens(chat, ask, question):
    answer: Answer = ask(prompt=chat.prompt([Turn("user", question)]), max_tokens=200)
    assert answer.reason == "length"
    text = chat.tokenizer.decode(answer.ids)
    words = text.split()
    assert text.isprintable()
    assert len(set(words)) >= 15
    assert sum(text.count(end) for end in random_model.ENDS) >= 8


def test_different_questions_are_answered_differently(chat, ask):
    answers = [ask(question, prompt=chat.prompt([Turn("user", question)])) for question in ("Hello", "Why?")]
    assert {a.reason for a in answers} == {"length"}
    assert answers[0].ids != answers[1].ids


def test_transformers_reads_the_tokenizer_and_template_too(folder, chat):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer.apply_chat_template(
        [{"role": "user", "content": "a guest"}], add_generation_prompt=True
    )
    assert tuple(encoded["input_ids"]) == chat.prompt([Turn("user", "a guest")])
