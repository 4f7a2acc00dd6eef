"""Encoders that CTranslate2 cannot run: what they say of a text is what transformers says of it alone."""

import inspect
import json
import shutil
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from inference import encoders
from inference.fallback.encoders import TransformersClassifier, TransformersEmbedder, TransformersEncoder
from inference.library import ModelIncomplete
from inference.request import EngineClosed, EngineError
from tests.inference.checkpoints import rewrite, scale
from tests.inference.checkpoints_encoder import LABELS, pieces, wordpiece

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = [
    "where is the parcel ordered there",
    "hello",
    "I ordered the wrong invoice, where is it? " * 5,  # longer than the model reads
    "person there",
    ("where is it", "the parcel is there"),
    "ordered wrong",
    "",
]
LONGEST = 40

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": LONGEST,
    "embedding_size": 16,
}


def albert() -> Any:
    return transformers.AlbertTokenizer(vocab=pieces("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"))


def xlnet() -> Any:
    return transformers.XLNetTokenizer(
        vocab=pieces("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>")
    )


def deberta() -> Any:
    return transformers.DebertaV2Tokenizer(vocab=pieces("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"))


FAMILIES: dict[str, tuple[str, Callable[[], Any], dict[str, Any]]] = {
    "albert": ("AlbertConfig", albert, SHAPE),
    "electra": ("ElectraConfig", wordpiece, SHAPE),
    "xlnet": ("XLNetConfig", xlnet, {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}),
    "deberta": (
        "DebertaV2Config",
        deberta,
        {**SHAPE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
}


def make(family: str, folder: Path, *, auto: str) -> Path:
    config_class, tokenizer_of, told = FAMILIES[family]
    tokenizer = tokenizer_of()
    tokenizer.model_max_length = LONGEST
    config = getattr(transformers, config_class)(
        vocab_size=len(tokenizer.get_vocab()),
        pad_token_id=tokenizer.pad_token_id,
        id2label=dict(enumerate(LABELS)),
        label2id={label: at for at, label in enumerate(LABELS)},
        **told,
    )
    torch.manual_seed(3)
    model = getattr(transformers, auto).from_config(config).eval()
    scale(model, seed=3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    @cache
    def made(family: str, auto: str) -> Path:
        return make(family, tmp_path_factory.mktemp(auto) / family, auto=auto)

    return made


@pytest.fixture(scope="session")
def classifying(checkpoint: Callable[[str, str], Path]) -> Callable[[str], Path]:
    return lambda family: checkpoint(family, "AutoModelForSequenceClassification")


def alone(folder: Path, auto: str) -> list[Any]:
    """What transformers computes of each text by itself."""
    model = getattr(transformers, auto).from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    outputs = []
    with torch.inference_mode():
        for text in TEXTS:
            parts = [text] if isinstance(text, str) else list(text)
            # since transformers 5 ALBERT's and XLNet's give types only when asked; both were trained with them
            options = {"truncation": True, "max_length": LONGEST, "return_token_type_ids": True}
            asked = tokenizer(*parts, return_tensors="pt", **options)
            outputs.append(model(**asked))
    return outputs


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_says_of_many_texts_what_transformers_says_of_each(family, classifying):
    folder = classifying(family)
    with TransformersClassifier.load(folder) as classifier:
        said = classifier.classify(TEXTS)
        assert classifier.labels == {"default": LABELS}
        assert classifier.max_tokens == LONGEST
        assert max(map(len, classifier.ids(TEXTS))) == LONGEST
        assert classifier.classify_all(TEXTS[:2]) == {"default": said[:2]}
        assert classifier.classify([]) == []
    expected = [output.logits[0].softmax(-1).numpy() for output in alone(folder, classifier.kind)]
    assert np.ptp(expected, axis=0).max() > 0.1, "a model that says one thing of all texts proves little"
    np.testing.assert_allclose([list(one.values()) for one in said], expected, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_embedder_pools_what_transformers_computes(family, checkpoint):
    folder = checkpoint(family, "AutoModel")
    with TransformersEmbedder.load(folder) as embedder:
        said = embedder.embed(TEXTS)
        assert (said.dtype, embedder.width) == (np.float32, 32)
    expected = [output.last_hidden_state[0].mean(0).numpy() for output in alone(folder, embedder.kind)]
    np.testing.assert_allclose(said, expected, atol=1e-4)


def test_an_embedder_does_what_sentence_transformers_files_say(checkpoint, tmp_path):
    folder = tmp_path / "sentences"
    shutil.copytree(checkpoint("electra", "AutoModel"), folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "cls"}))
    stack = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in stack]
    (folder / "modules.json").write_text(json.dumps(modules))
    with TransformersEmbedder(folder) as embedder:
        said = embedder.embed(TEXTS)
    first = [output.last_hidden_state[0, 0].numpy() for output in alone(folder, embedder.kind)]
    np.testing.assert_allclose(said, [one / np.linalg.norm(one) for one in first], atol=1e-5)


def test_a_checkpoint_without_a_pooler_embeds_all_the_same(checkpoint, tmp_path):
    """Only classifiers use it. What is really missing is not made up."""
    folder = tmp_path / "bare"
    shutil.copytree(checkpoint("albert", "AutoModel"), folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler")}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with (
        TransformersEmbedder(folder) as embedder,
        TransformersEmbedder(checkpoint("albert", "AutoModel")) as whole,
    ):
        assert np.array_equal(embedder.embed(TEXTS), whole.embed(TEXTS))
    kept.pop("embeddings.word_embeddings.weight")
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="word_embeddings"):
        TransformersEmbedder(folder)


def test_labels_that_may_each_be_right_do_not_add_up(classifying, tmp_path):
    folder = tmp_path / "many"
    shutil.copytree(classifying("electra"), folder)
    rewrite(folder / "config.json", problem_type="multi_label_classification")
    with TransformersClassifier(folder) as classifier:
        said = [list(one.values()) for one in classifier.classify(TEXTS)]
    expected = [output.logits[0].sigmoid().numpy() for output in alone(folder, classifier.kind)]
    np.testing.assert_allclose(said, expected, atol=1e-5)


def test_threads_share_one_model(classifying):
    with TransformersClassifier(classifying("deberta"), threads=torch.get_num_threads()) as classifier:
        expected, found = classifier.classify(TEXTS), list[Any]()
        threads = [
            threading.Thread(target=lambda: found.append(classifier.classify(TEXTS))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [expected] * 4


def test_what_is_closed_computes_no_more(classifying):
    classifier = TransformersClassifier(classifying("electra"))
    classifier.close()
    classifier.close()
    with pytest.raises(EngineClosed):
        classifier.classify(["hello"])


def test_what_is_no_classifier_is_said(checkpoint, classifying, tmp_path):
    with pytest.raises(EngineError, match="classifier"):  # its head would be random numbers
        TransformersClassifier(checkpoint("electra", "AutoModel"))
    with (
        TransformersClassifier(classifying("electra")) as classifier,
        pytest.raises(EngineError, match="no head 'mood'"),
    ):
        classifier.classify(["hello"], head="mood")
    folder = tmp_path / "twins"
    shutil.copytree(classifying("electra"), folder)
    rewrite(folder / "config.json", id2label={"0": "a", "1": "a", "2": "b"})
    with pytest.raises(ModelIncomplete, match="one name"):
        TransformersClassifier(folder)
    (folder / "tokenizer.json").write_text("{}")
    rewrite(folder / "config.json", id2label={"0": "a", "1": "c", "2": "b"})
    with pytest.raises(ModelIncomplete, match=r"tokenizer\.json"):
        TransformersClassifier(folder)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(TransformersClassifier, encoders.Classifier), (TransformersEmbedder, encoders.Embedder)],
)
def test_the_methods_are_those_of_the_first_engine_s_encoders(ours, theirs):
    """Whoever opens one must not care which."""
    for name in ("load", "classify", "classify_all", "embed", "ids", "close"):
        if hasattr(theirs, name):
            asked = inspect.signature(getattr(theirs, name)).parameters
            assert list(inspect.signature(getattr(ours, name)).parameters) == list(asked)


def test_a_bare_encoder_reads_nothing(classifying):
    with TransformersEncoder(classifying("electra")) as bare, pytest.raises(NotImplementedError):
        bare._computed(["hello"], width=1)
