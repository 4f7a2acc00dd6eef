"""A model of the library is opened by the engine its manifest names, once it is sure that nobody has touched it."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference import opening
from inference.engine import Engine
from inference.fallback import TransformersEngine
from inference.fallback.encoders import TransformersClassifier, TransformersEmbedder
from inference.library import Library, ModelFolder
from inference.library.reference import ModelDamaged, UnsafeFolder
from inference.library.shelf import Shelf
from inference.opening import WrongKind, open_classifier, open_embedder, open_engine
from inference.request import EngineError, Request, Sampling
from tests.inference import test_fallback_encoders as encoder_checkpoints
from tests.inference.checkpoints import make
from tests.inference.conftest import Answer
from tests.inference.shelved import put

PROMPT = (40, 41, 42, 43)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(root=tmp_path / "models")


@pytest.fixture
def installed(library: Library, tmp_path: Path) -> Callable[..., ModelFolder]:
    """Puts a folder into the library under a name, and finds it there."""

    def install(folder: Path, **described: Any) -> ModelFolder:
        made = put(Shelf(tmp_path / "models"), folder, **described)
        return library.find(str(made.reference))

    return install


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("gemma2", tmp_path_factory.mktemp("opening") / "gemma2")


def answer_of(engine: Engine) -> Answer:
    answer = Answer()
    request = Request(id="a", prompt=PROMPT, sampling=Sampling(max_tokens=5, ignore_eos=True))
    engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
    assert answer.reason == "length"
    return answer


def test_a_plain_folder_and_a_variant_open_as_they_always_did(folder, library, installed):
    variant = installed(folder)
    for model in (library.find("starter"), library.find(str(folder)), variant):
        with open_engine(model, max_rows=3) as engine:
            assert type(engine) is Engine
            assert engine.slots == 3
            assert engine.context_length == model.context_length


def test_what_the_manifest_gives_to_the_second_engine_opens_there(gemma, installed):
    model = installed(
        gemma,
        engine="transformers",
        family="gemma2",
        variant="float32",
        end_token_ids=(3,),
        context_length=77,
    )
    with open_engine(model) as engine:
        assert type(engine) is TransformersEngine
        assert (engine.context_length, engine.end_token_ids) == (77, (3,))
        assert len(answer_of(engine).ids) == 5


@pytest.mark.parametrize(
    ("kind", "auto", "open_it", "opened"),
    [
        ("classifier", "AutoModelForSequenceClassification", open_classifier, TransformersClassifier),
        ("embedder", "AutoModel", open_embedder, TransformersEmbedder),
    ],
)
def test_encoders_open_by_their_kind(kind, auto, open_it, opened, tmp_path, installed):
    source = encoder_checkpoints.make("electra", tmp_path / "source", auto=auto)
    model = installed(
        source,
        engine="transformers",
        kind=kind,
        context_length=30,
        variant="float32",
        has_chat_template=False,
    )
    with open_it(model, threads=0) as encoder:
        assert type(encoder) is opened
        assert encoder.max_tokens == 30


@pytest.mark.parametrize(
    ("open_it", "kind", "engine", "opened"),
    [
        (open_engine, "chat", "ctranslate2", "inference.engine.Engine"),
        (open_engine, "chat", "transformers", "inference.fallback.TransformersEngine"),
        (open_engine, "seq2seq", "ctranslate2", "inference.seq2seq.Seq2SeqEngine"),
        (open_engine, "seq2seq", "transformers", "inference.fallback.TransformersSeq2SeqEngine"),
        (open_classifier, "classifier", "ctranslate2", "inference.encoders.Classifier.load"),
        (
            open_classifier,
            "classifier",
            "transformers",
            "inference.fallback.encoders.TransformersClassifier.load",
        ),
        (open_embedder, "embedder", "ctranslate2", "inference.encoders.Embedder.load"),
        (open_embedder, "embedder", "transformers", "inference.fallback.encoders.TransformersEmbedder.load"),
    ],
)
def test_each_kind_and_engine_has_its_own_and_gets_the_options(
    open_it, kind, engine, opened, folder, monkeypatch
):
    monkeypatch.setattr(opened, lambda path, **options: (opened, path, options))
    model = ModelFolder("m", folder, 100, kind=kind, engine=engine)
    assert open_it(model, device="cpu") == (opened, folder, {"device": "cpu"})


@pytest.mark.parametrize(
    ("kind", "open_it", "sentence"),
    [
        ("classifier", open_engine, "m is a classifier; it cannot answer conversations."),
        ("embedder", open_engine, "m is an embedder; it cannot answer conversations."),
        ("chat", open_classifier, "m is a chat model; it cannot judge texts. That takes a classifier"),
        ("seq2seq", open_embedder, "m is an encoder-decoder; it cannot turn texts into vectors."),
    ],
)
def test_a_model_of_another_kind_is_refused_in_a_sentence(kind, open_it, sentence, folder):
    with pytest.raises(WrongKind) as refused:
        open_it(ModelFolder("m", folder, 100, kind=kind))
    assert str(refused.value).startswith(sentence)
    assert isinstance(refused.value, EngineError)


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_a_variant_that_has_changed_is_not_opened(engine, folder, gemma, installed, monkeypatch):
    _never_loaded(monkeypatch)
    ours = engine == "ctranslate2"
    model = installed(folder if ours else gemma, engine=engine, variant="int8" if ours else "float32")
    weights = model.path / ("model.bin" if ours else "model.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelDamaged, match=weights.name):
        open_engine(model)


def test_a_file_that_came_later_is_not_opened(folder, installed, monkeypatch):
    _never_loaded(monkeypatch)
    model = installed(folder)
    (model.path / "extra.json").write_text("{}")
    with pytest.raises(ModelDamaged, match=r"extra\.json"):
        open_engine(model)


def test_a_plain_folder_is_looked_at_too(tmp_path, folder, monkeypatch):
    _never_loaded(monkeypatch)
    shutil.copytree(folder, tmp_path / "plain")
    (tmp_path / "plain" / "optimizer.pt").write_bytes(pickle.dumps({"a": 1}))
    model = Library(root=None).find(str(tmp_path / "plain"))
    with pytest.raises(UnsafeFolder, match=r"optimizer\.pt"):
        open_engine(model)


def _never_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads a model in this test fails it."""

    def loaded(*args: object, **options: object) -> None:
        pytest.fail("a model was loaded before it was verified")

    monkeypatch.setattr(Engine, "__init__", loaded)
    monkeypatch.setattr(TransformersEngine, "__init__", loaded)


def test_importing_it_loads_no_library():
    program = (
        "import sys, inference.opening; "
        "print([m for m in ('torch', 'transformers', 'ctranslate2', 'numpy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_verifying_alone_opens_nothing(folder, installed, monkeypatch):
    _never_loaded(monkeypatch)
    opening.verify(installed(folder))
