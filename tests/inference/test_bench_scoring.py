"""What a model makes of a text: the same whichever engine runs it, and begun as its tokenizer begins every text."""

import math

import pytest
from ctranslate2.converters import TransformersConverter
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from inference.bench import scoring
from tests.inference import checkpoints


def test_a_text_is_scored_in_windows_that_begin_as_the_model_is_used_to():
    parts = scoring.windows([7], list(range(10)), size=5)
    assert parts == [[7, 0, 1, 2, 3], [7, 4, 5, 6, 7], [7, 8, 9]]
    assert scoring.windows([], [1, 2, 3], size=2) == [[1, 2]]  # one token alone has nothing before it
    assert scoring.loss([math.log(0.5), math.log(0.125)]) == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("template", "begin"),
    [("$A", []), ("<s> $A", [0]), ("<s> $A </s>", [0]), ("$A </s> <s>", []), ("<s> </s> $A", [0, 1])],
)
def test_what_a_tokenizer_writes_before_every_text_is_told_from_the_text(tmp_path, template, begin):
    tokenizer = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "a": 2, "b": 3}, unk_token="</s>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert scoring.encoded(tmp_path, "a b b") == (begin, [2, 3, 3])


def test_both_engines_score_a_text_alike(tmp_path):
    source = checkpoints.make("llama2", tmp_path / "source")
    TransformersConverter(str(source)).convert(str(tmp_path / "made"))
    begin, ids = scoring.encoded(source, "Hello there, the user and the model: you are the end. " * 4)
    parts = scoring.windows(begin, ids, size=32)
    exact = scoring.with_transformers(source, parts, device="cpu")
    ours = scoring.with_ctranslate2(tmp_path / "made", parts, device="cpu")
    assert ours.logs == pytest.approx(exact.logs, abs=1e-3)
    assert len(ours.logs) == sum(len(part) - 1 for part in parts)
    assert (ours.runs_as, exact.runs_as) == ("float32", "float32")
    assert ours.vocabulary == exact.vocabulary
