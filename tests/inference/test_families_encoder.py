"""Every family of encoders, from a tiny checkpoint to what is served: as transformers says, or refused by name."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from inference import encoders, families
from inference.convert import ConversionRefused, convert
from inference.encoders import Classifier, Embedder
from inference.families import encoder
from inference.heads import Head, Heads
from inference.library.shelf import Shelf
from inference.parity.encoder import LONG, TEXTS, compare
from tests.inference import checkpoints_encoder as checkpoints
from tests.inference.checkpoints import one_thread, rewrite

EXACT = 1e-5  # of scores, beside the largest
ALL = [*TEXTS, LONG * 3]
CLASSIFIERS = sorted(checkpoints.RECIPES)
DENSE = "torch.nn.modules.activation.Tanh"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("library") / "models")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A checkpoint of a family, made once: source("bert", task="Model")."""
    made: dict[tuple[str, str], Path] = {}

    def get(name: str, task: str = "ForSequenceClassification") -> Path:
        if (name, task) not in made:
            folder = tmp_path_factory.mktemp("sources") / f"{name}-{task}"
            made[name, task] = checkpoints.make(name, folder, task=task)
        return made[name, task]

    return get


def converted(shelf: Shelf, folder: Path, *, to: str = "float32") -> Path:
    found = convert(folder, shelf=shelf, name=folder.name, to=to)
    assert found.engine == "ctranslate2"
    return shelf.library.find(str(found.reference)).path


def scores_of(folder: Path, texts: list[str], *, cut: int = 512) -> Any:
    """What transformers says: all texts in one padded batch, which is no step of ours."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    asked = tokenizer(texts, truncation=True, max_length=cut, padding=True, return_tensors="pt")
    with torch.no_grad():
        return model(**asked).logits


def figure(report: dict[str, Any], name: str) -> float:
    return next(float(check["figure"]) for check in report["checks"] if check["name"] == name)


# -- classifiers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_says_what_transformers_says(shelf, source, name):
    folder = source(name)
    made = converted(shelf, folder)
    limit = Heads.load(made).max_tokens
    shares = torch.softmax(scores_of(folder, ALL, cut=limit), dim=1).numpy()
    with Classifier.load(made) as classifier:
        found = classifier.classify(ALL)
    assert [list(each) for each in found] == [list(checkpoints.LABELS)] * len(ALL)
    ours = np.array([list(each.values()) for each in found])
    assert np.abs(ours - shares).max() < EXACT
    assert np.ptp(shares, axis=0).max() > 0.1, "the texts are too much alike to show an error"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_gate_measures_almost_nothing_and_int8_keeps_its_limits(shelf, source, name):
    folder = source(name)
    exact = json.loads((converted(shelf, folder) / "manifest.json").read_text())["parity"]
    int8 = json.loads((converted(shelf, folder, to="int8") / "manifest.json").read_text())
    assert exact["passed"]
    assert figure(exact, "scores, relative error") < EXACT
    assert figure(int8["parity"], "scores, relative error") < EXACT, "over the rounded weights"
    assert int8["parity"]["passed"]
    assert 0 < figure(int8["parity"], "probabilities, largest difference") < 0.15
    assert int8["labels"] == list(checkpoints.LABELS)
    assert int8["kind"] == "classifier"


def test_the_manifest_says_how_long_a_text_may_be(shelf, source):
    """RoBERTa's positions begin behind the padding token's id."""
    lengths = {
        name: shelf.library.find(f"{converted(shelf, source(name)).parent.parent.name}").context_length
        for name in ("bert", "roberta")
    }
    assert lengths == {"bert": checkpoints.POSITIONS, "roberta": checkpoints.POSITIONS - 2}


def test_positions_begin_behind_a_padding_token_of_id_0(shelf, tmp_path):
    vocabulary = [*checkpoints.pieces("<pad>", "<s>", "</s>", "<unk>"), ("<mask>", 0.0)]
    tokenizer = transformers.XLMRobertaTokenizer(vocab=vocabulary)
    assert tokenizer.pad_token_id == 0
    folder = checkpoints.make("xlm_roberta", tmp_path / "padded", tokenizer=tokenizer, pad_token_id=0)
    made = converted(shelf, folder)
    shares = torch.softmax(scores_of(folder, ALL, cut=checkpoints.POSITIONS - 1), dim=1).numpy()
    with Classifier.load(made) as classifier:
        assert classifier.max_tokens == checkpoints.POSITIONS - 1
        ours = np.array([list(each.values()) for each in classifier.classify(ALL)])
    assert np.abs(ours - shares).max() < EXACT


@pytest.mark.parametrize(
    ("told", "labels", "outcome"),
    [
        ({"problem_type": "multi_label_classification"}, checkpoints.LABELS, torch.sigmoid),
        ({}, ("spam",), torch.sigmoid),
        ({"problem_type": "regression"}, ("stars",), lambda scores: scores),
    ],
    ids=["many labels", "one label", "a number"],
)
def test_scores_are_read_as_the_task_wants(shelf, tmp_path, told, labels, outcome):
    folder = checkpoints.make("distilbert", tmp_path / "task", labels=labels, **told)
    made = converted(shelf, folder)
    wanted = outcome(scores_of(folder, ALL, cut=checkpoints.POSITIONS)).numpy()
    with Classifier.load(made) as classifier:
        ours = np.array([list(each.values()) for each in classifier.classify(ALL)])
    assert np.abs(ours - wanted).max() < EXACT * max(1, np.abs(wanted).max())


def test_a_text_and_its_neighbour_are_read_as_a_pair(shelf, source):
    folder = source("bert")
    pairs = [("Where is it?", "on its way"), ("hello", "there " * 5)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        asked = tokenizer(*map(list, zip(*pairs, strict=True)), padding=True, return_tensors="pt")
        assert asked["token_type_ids"].any()
        wanted = torch.softmax(model(**asked).logits, dim=1).numpy()
    with Classifier.load(converted(shelf, folder)) as classifier:
        ours = np.array([list(each.values()) for each in classifier.classify(pairs)])
    assert np.abs(ours - wanted).max() < EXACT


# -- embedders -------------------------------------------------------------------------------------------------


def pooled(folder: Path, texts: list[str], *, by: str) -> Any:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    asked = tokenizer(texts, truncation=True, max_length=60, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**asked).last_hidden_state
    mask = asked["attention_mask"][:, :, None]
    if by == "cls":
        return states[:, 0]
    if by == "max":
        return states.masked_fill(mask == 0, -1e9).amax(dim=1)
    return (states * mask).sum(dim=1) / mask.sum(dim=1)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_embedder_makes_sentence_transformers_vectors(shelf, source, tmp_path, name):
    folder = shutil.copytree(source(name, "Model"), tmp_path / f"{name}-vectors")
    checkpoints.as_sentence_transformers(
        folder, pooling=checkpoints.mean_pooling(), normalised=True, settings={"max_seq_length": 60}
    )
    wanted = torch.nn.functional.normalize(pooled(folder, ALL, by="mean"), dim=1).numpy()
    with Embedder.load(converted(shelf, folder)) as embedder:
        assert embedder.max_tokens == 60
        found = embedder.embed(ALL)
    assert found.dtype == np.float32
    assert found.shape == (len(ALL), checkpoints.WIDTH)
    assert np.abs(found - wanted).max() < EXACT


@pytest.mark.parametrize(
    "pooling",
    [{"pooling_mode_cls_token": True}, {"pooling_mode_max_tokens": True}, {"pooling_mode": "mean"}],
    ids=["cls", "max", "as newer files have it"],
)
def test_vectors_go_through_what_stands_behind_the_pooling(shelf, source, tmp_path, pooling):
    folder = shutil.copytree(source("bert", "Model"), tmp_path / "dense")
    checkpoints.as_sentence_transformers(
        folder, pooling=pooling, dense=DENSE, settings={"max_seq_length": 60}
    )
    tensors = load_file(folder / "2_Dense" / "model.safetensors")
    by = "mean" if "pooling_mode" in pooling else next(iter(pooling)).split("_")[2]
    states = pooled(folder, ALL, by=by)
    wanted = torch.tanh(states @ tensors["linear.weight"].T + tensors["linear.bias"]).numpy()
    with Embedder.load(converted(shelf, folder)) as embedder:
        assert embedder.width == 20
        assert np.abs(embedder.embed(ALL) - wanted).max() < EXACT


def test_a_bare_encoder_is_pooled_by_the_mean(shelf, source):
    folder = source("bert", "Model")
    made = converted(shelf, folder)
    texts = [text for text in ALL if len(text) < 45]
    with Embedder.load(made) as embedder:
        wanted = pooled(folder, texts, by="mean").numpy()
        assert np.abs(embedder.embed(texts) - wanted).max() < EXACT * np.abs(wanted).max()


def test_an_int8_embedder_points_the_same_way(shelf, source):
    folder = source("bert", "Model")
    int8 = json.loads((converted(shelf, folder, to="int8") / "manifest.json").read_text())["parity"]
    assert figure(int8, "cosine, smallest") > 0.97


def test_a_text_is_read_in_small_letters_where_sentence_transformers_says_so(shelf, tmp_path):
    folder = checkpoints.make("distilbert", tmp_path / "small", task="Model")
    settings = {"max_seq_length": 60, "do_lower_case": True}
    checkpoints.as_sentence_transformers(folder, pooling=checkpoints.mean_pooling(), settings=settings)
    with Embedder.load(converted(shelf, folder)) as embedder:
        large, small = embedder.embed(["WHERE is My Parcel", "where is my parcel"])
    assert np.array_equal(large, small)


@pytest.mark.parametrize(
    ("pooling", "word"),
    [
        ({"pooling_mode_lasttoken": True}, "lasttoken"),
        ({"pooling_mode": ["mean", "max"]}, "mean, max"),
        ({}, "nothing"),
    ],
)
def test_a_pooling_that_is_not_ours_is_refused_by_name(shelf, source, tmp_path, pooling, word):
    folder = shutil.copytree(source("bert", "Model"), tmp_path / "pooled")
    checkpoints.as_sentence_transformers(folder, pooling=pooling)
    with pytest.raises(ConversionRefused, match=word):
        convert(folder, shelf=shelf, name="pooled", to="float32")


def test_a_dense_layer_that_is_no_safetensors_is_refused(shelf, source, tmp_path):
    folder = Path(shutil.copytree(source("bert", "Model"), tmp_path / "lacking"))
    checkpoints.as_sentence_transformers(folder, pooling=checkpoints.mean_pooling(), dense=DENSE)
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(ConversionRefused, match=r"no model\.safetensors"):
        convert(folder, shelf=shelf, name="lacking", to="float32")


def test_a_list_of_modules_that_points_outside_is_refused(shelf, source, tmp_path):
    folder = shutil.copytree(source("bert", "Model"), tmp_path / "outside")
    checkpoints.as_sentence_transformers(folder, pooling=checkpoints.mean_pooling())
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["path"] = "../elsewhere"
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ConversionRefused, match="outside"):
        convert(folder, shelf=shelf, name="outside", to="float32")


# -- the gate --------------------------------------------------------------------------------------------------


def _swapped_labels(heads: Heads) -> Heads:
    head = heads.heads["default"]
    return replace(heads, heads={"default": replace(head, labels=head.labels[::-1])})


def _swapped_rows(heads: Heads) -> Heads:
    head = heads.heads["default"]
    last = replace(head.layers[-1], weight=head.layers[-1].weight[::-1])
    return replace(heads, heads={"default": replace(head, layers=(*head.layers[:-1], last))})


def _turned(heads: Heads) -> Heads:
    head = heads.heads["default"]
    first = replace(head.layers[0], weight=head.layers[0].weight.T)
    return replace(heads, heads={"default": replace(head, layers=(first, *head.layers[1:]))})


def _without_activation(heads: Heads) -> Heads:
    head = heads.heads["default"]
    first = replace(head.layers[0], activation="")
    return replace(heads, heads={"default": replace(head, layers=(first, *head.layers[1:]))})


def _by_mean(heads: Heads) -> Heads:
    return replace(heads, heads={"default": replace(heads.heads["default"], pooling="mean")})


def _one_label_less(heads: Heads) -> Heads:
    head = heads.heads["default"]
    last = replace(head.layers[-1], weight=head.layers[-1].weight[:-1], bias=head.layers[-1].bias[:-1])
    less = Head("cls", (*head.layers[:-1], last), "softmax", head.labels[:-1])
    return replace(heads, heads={"default": less})


def _cut_earlier(heads: Heads) -> Heads:
    return replace(heads, max_tokens=heads.max_tokens - 1)


BREAKS = [_swapped_labels, _swapped_rows, _turned, _without_activation, _by_mean, _one_label_less]


@pytest.mark.parametrize("breaks", BREAKS, ids=lambda breaks: breaks.__name__.strip("_"))
def test_a_head_that_was_put_on_wrong_does_not_pass(shelf, source, tmp_path, breaks):
    folder = source("roberta")
    made = shutil.copytree(converted(shelf, folder), tmp_path / "made")
    breaks(Heads.load(made)).save(made)
    report = compare(kind="classifier", source=folder, made=made, variant="float32", context_length=64)
    assert not report.passed


def test_the_gate_passes_the_head_as_it_was(shelf, source, tmp_path):
    folder = source("roberta")
    made = shutil.copytree(converted(shelf, folder), tmp_path / "made")
    Heads.load(made).save(made)
    assert compare(kind="classifier", source=folder, made=made, variant="float32", context_length=64).passed


def _one_position_early(spec: Any, model: Any) -> None:
    table = model.base_model.embeddings.position_embeddings
    spec.encoder.position_encodings.encodings = table.weight[table.padding_idx :]


def _one_position_less(spec: Any, model: Any) -> None:
    table = model.base_model.embeddings.position_embeddings
    spec.encoder.position_encodings.encodings = table.weight[table.padding_idx + 1 : -1]


def _other_layer(spec: Any, _: Any) -> None:
    first, second = spec.encoder.layer
    first.ffn.linear_0.weight, second.ffn.linear_0.weight = (
        second.ffn.linear_0.weight,
        first.ffn.linear_0.weight,
    )


@pytest.mark.parametrize(
    ("wrong", "to", "word"),
    [
        (_one_position_early, "float32", "relative error"),
        (_one_position_early, "int8", "relative error"),
        (_one_position_less, "float32", "errors of CTranslate2"),
        (_other_layer, "int8", "relative error"),
    ],
)
def test_a_conversion_that_went_wrong_is_refused_with_the_report(shelf, source, monkeypatch, wrong, to, word):
    monkeypatch.setattr(encoder, "_positions", wrong)
    before = shelf.library.list()
    with pytest.raises(ConversionRefused, match=word) as refused:
        convert(source("roberta"), shelf=shelf, name="wrong", to=to)
    assert not refused.value.report.passed
    assert shelf.library.list() == before


def test_two_outputs_of_one_name_are_refused(shelf, tmp_path):
    folder = checkpoints.make("bert", tmp_path / "twice", labels=("yes", "no", "yes"))
    with pytest.raises(ConversionRefused, match="one name"):
        convert(folder, shelf=shelf, name="twice", to="float32")


def test_a_head_that_was_never_trained_is_refused(shelf, source, tmp_path):
    """transformers would make one up, each time another."""
    folder = Path(shutil.copytree(source("bert", "Model"), tmp_path / "headless"))
    rewrite(folder / "config.json", architectures=["BertForSequenceClassification"])
    with pytest.raises(ConversionRefused, match=r"classifier\.weight"):
        convert(folder, shelf=shelf, name="headless", to="float32")


# -- routes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "engine", "word"),
    [
        ({}, "ctranslate2", ""),
        ({"position_embedding_type": "relative_key"}, "refused", "relative_key"),
        ({"hidden_act": "mish"}, "transformers", "mish"),
        ({"is_decoder": True}, "transformers", "left to right"),
    ],
)
def test_an_encoder_goes_where_it_is_right(told, engine, word):
    route = families.route({"architectures": ["BertForSequenceClassification"], "model_type": "bert", **told})
    assert route.engine == engine
    assert word in route.reason


@pytest.mark.parametrize(
    ("architecture", "model_type"),
    [
        ("XLNetForSequenceClassification", "xlnet"),
        ("AlbertForSequenceClassification", "albert"),
        ("ElectraForSequenceClassification", "electra"),
        ("DebertaV2ForSequenceClassification", "deberta-v2"),
    ],
)
def test_an_encoder_that_ctranslate2_lacks_runs_on_transformers_as_a_classifier(architecture, model_type):
    config = {"architectures": [architecture], "model_type": model_type}
    route, family = families.route(config), families.family_of(config)
    assert (route.engine, family.kind) == ("transformers", "classifier")
    assert architecture in route.reason
