"""A source becomes a variant of the library: what is carried along, what is refused before anything is written."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from inference import families, memory
from inference.chat import Chat, Turn
from inference.cli import app
from inference.convert import ConversionRefused, SourceGone, again, convert, find_source, intake, source
from inference.library import Library
from inference.library.inspection import UnsafeFolder
from inference.library.manifest import Manifest, verify
from inference.library.shelf import Shelf
from tests.inference import checkpoints
from tests.inference.checkpoints import make, rewrite

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with checkpoints.one_thread():
        yield


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("qwen2", tmp_path_factory.mktemp("convert") / "qwen2")


@pytest.fixture
def own(qwen: Path, tmp_path: Path) -> Path:
    """A copy of the source that a test may spoil."""
    return Path(shutil.copytree(qwen, tmp_path / "source"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


@pytest.fixture
def installed(qwen: Path, shelf: Shelf) -> Manifest:
    return convert(qwen, shelf=shelf, name="desk", to="float32")


def test_what_is_installed_is_whole_and_chats(qwen: Path, shelf: Shelf, installed: Manifest) -> None:
    model = Library(root=shelf.root).find("desk")
    assert verify(model.path) == installed
    prompt = Chat.load(model.path).prompt([Turn("user", "Hello there")])
    messages = [{"role": "user", "content": "Hello there"}]
    wanted = source.load_tokenizer(qwen).apply_chat_template(messages, add_generation_prompt=True)
    assert list(prompt) == wanted["input_ids"]


def test_every_end_token_of_the_source_is_one_here(shelf: Shelf, installed: Manifest) -> None:
    assert installed.end_tokens == ("<|im_end|>", "<|im_start|>")
    path = Library(root=shelf.root).find("desk").path
    assert json.loads((path / "generation_config.json").read_text())["eos_token_id"] == [
        *installed.end_token_ids
    ]
    assert json.loads((path / "config.json").read_text())["eos_token"] in installed.end_tokens


def test_end_tokens_that_only_config_json_names_come_along(own: Path, shelf: Shelf) -> None:
    (own / "generation_config.json").unlink()
    rewrite(own / "config.json", eos_token_id=[70, 71])
    made = convert(own, shelf=shelf, name="desk", to="float32")
    assert set(made.end_token_ids) >= {70, 71}


def test_the_same_source_gives_the_same_version_and_variants_join_it(
    qwen: Path, shelf: Shelf, installed: Manifest
) -> None:
    other = again(installed, shelf=shelf, to="bfloat16")
    assert (other.version, other.variant) == (installed.version, "bfloat16")
    assert other.source == installed.source
    assert {model.variant for model in Library(root=shelf.root).variants("desk")} == {"float32", "bfloat16"}


def test_another_variant_needs_the_source_that_was_there(own: Path, shelf: Shelf) -> None:
    made = convert(own, shelf=shelf, name="desk", to="float32")
    (own / "README.md").write_text("changed")
    with pytest.raises(SourceGone, match="is no longer what desk@"):
        again(made, shelf=shelf, to="bfloat16")
    shutil.rmtree(own)
    with pytest.raises(SourceGone, match="Put it back there"):
        again(made, shelf=shelf, to="bfloat16")


def test_steps_are_told_in_their_order(qwen: Path, shelf: Shelf) -> None:
    told: list[str] = []
    convert(qwen, shelf=shelf, name="desk", to="float32", progress=told.append)
    assert told == ["inspect", "convert", "check", "hash", "install"]


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        ("---\nlanguage: en\nlicense: mit\n---\n# Model", "mit"),
        ('---\nlicense: "llama3.1"\n---\n', "llama3.1"),
        ("# no front matter\nlicense: mit", ""),
    ],
)
def test_the_licence_is_the_one_of_the_front_matter(readme: str, licence: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(readme)
    assert source.licence(tmp_path) == licence


def test_the_licence_is_else_that_of_its_text_or_the_one_that_is_said(own: Path, shelf: Shelf) -> None:
    (own / "LICENSE").write_text("\n   Apache License\n  Version 2.0, January 2004\n")
    assert source.licence(own) == "apache-2.0"
    made = convert(own, shelf=shelf, name="desk", to="float32", licence="house")
    assert made.licence == "house"
    assert "LICENSE" in made.files


def test_code_that_comes_with_a_known_family_is_neither_run_nor_taken_along(own: Path, shelf: Shelf) -> None:
    (own / "modeling.py").write_text("raise SystemExit('it was run')")
    rewrite(own / "config.json", auto_map={"AutoModelForCausalLM": "modeling.Mine"})
    rewrite(own / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling.Mine", None]})
    made = convert(own, shelf=shelf, name="desk", to="float32")
    assert not [name for name in made.files if name.endswith(".py")]
    folder = Library(root=shelf.root).find("desk").path
    assert "auto_map" not in (folder / "tokenizer_config.json").read_text()


def test_a_model_that_is_nothing_without_its_own_code_is_refused(own: Path, shelf: Shelf) -> None:
    (own / "modeling.py").write_text("raise SystemExit('it was run')")
    rewrite(
        own / "config.json",
        model_type="mine",
        architectures=["MyModelForCausalLM"],
        auto_map={"AutoConfig": "modeling.MyConfig"},
    )
    with pytest.raises(ConversionRefused, match="never runs code that comes with a model"):
        convert(own, shelf=shelf, name="desk")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"model_type": "mine", "architectures": ["MyModel"]},
            "Neither CTranslate2 nor transformers knows MyModel",
        ),
        ({"model_type": "mine"}, "transformers knows Qwen2ForCausalLM of the type mine"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised already, with gptq"),
        ({"quantization_config": {"quant_method": "awq"}}, "runs on a GPU only"),
    ],
)
def test_what_neither_engine_can_run_right_is_refused_by_name(
    changes: dict[str, Any], words: str, own: Path, shelf: Shelf
) -> None:
    rewrite(own / "config.json", **changes)
    with pytest.raises(ConversionRefused, match=words):
        convert(own, shelf=shelf, name="desk")


def test_a_tokenizer_that_cannot_be_read_is_told_in_a_sentence(own: Path, shelf: Shelf) -> None:
    (own / "tokenizer.json").write_text("{}")
    with pytest.raises(ConversionRefused, match="cannot read the tokenizer of source"):
        convert(own, shelf=shelf, name="desk")


def test_special_tokens_that_only_the_tokenizers_class_knows_are_named(own: Path, shelf: Shelf) -> None:
    """A template asks for bos_token, and would be given nothing."""
    rewrite(own / "tokenizer_config.json", eos_token=None, pad_token=None)
    (own / "special_tokens_map.json").write_text('{"eos_token": "<|im_end|>"}')
    convert(own, shelf=shelf, name="desk", to="float32")
    said = json.loads((Library(root=shelf.root).find("desk").path / "tokenizer_config.json").read_text())
    assert said["eos_token"] == source.load_tokenizer(own).eos_token
    assert said["pad_token"] == source.load_tokenizer(own).pad_token


def test_an_engine_that_there_is_not_is_refused(qwen: Path, shelf: Shelf) -> None:
    with pytest.raises(ConversionRefused, match="the library picks"):
        convert(qwen, shelf=shelf, name="desk", engine="ctranslate3")


def test_a_source_that_lacks_weights_is_refused(own: Path, shelf: Shelf) -> None:
    """transformers fills them with random numbers, twice others: nothing would be proved."""
    tensors = load_file(own / "model.safetensors")
    tensors.pop("model.layers.1.mlp.down_proj.weight")
    save_file(tensors, own / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConversionRefused, match=r"no weights for model\.layers\.1\.mlp\.down_proj\.weight"):
        convert(own, shelf=shelf, name="desk", to="float32")
    assert not (shelf.root / "desk").exists()


def _pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02}.")


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [(_pickle, UnsafeFolder, "pickle"), (_no_weights, ConversionRefused, "lacks config.json or")],
)
def test_a_folder_that_is_no_source_is_refused(
    spoil: Callable[[Path], None], error: type[Exception], words: str, own: Path, shelf: Shelf
) -> None:
    spoil(own)
    with pytest.raises(error, match=words):
        convert(own, shelf=shelf, name="desk")
    assert not (shelf.root / "desk").exists()


@pytest.mark.parametrize("name", ["default", "canary", "starter", "a/b", "", "x" * 65])
def test_a_name_that_cannot_be_installed_is_refused_before_the_work(
    name: str, qwen: Path, shelf: Shelf
) -> None:
    told: list[str] = []
    with pytest.raises(ConversionRefused, match="no name for a model"):
        convert(qwen, shelf=shelf, name=name, progress=told.append)
    assert told == []


def test_a_variant_that_there_is_not_is_refused(qwen: Path, shelf: Shelf) -> None:
    with pytest.raises(ConversionRefused, match="no variant 'int3'"):
        convert(qwen, shelf=shelf, name="desk", to="int3")
    with pytest.raises(ConversionRefused, match="AWQ needs a source"):
        convert(qwen, shelf=shelf, name="desk", to="awq")


def test_too_little_memory_is_said_before_the_work(
    qwen: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "unused", lambda device: 10**6)
    told: list[str] = []
    with pytest.raises(ConversionRefused, match="takes about 1 GB of memory"):
        convert(qwen, shelf=shelf, name="desk", progress=told.append)
    assert told == ["inspect"]
    assert convert(qwen, shelf=shelf, name="desk", to="float32", accept="it has swap").accepted == ""


def test_an_8b_model_in_int8_needs_what_float32_takes() -> None:
    weights = source.Weights(parameters=8 * 10**9, size=16 * 10**9, dtype="bfloat16")
    assert 32e9 < intake.needed_memory(weights, "int8", vocabulary=128_256) < 36e9
    assert 48e9 < intake.needed_memory(weights, "float32", vocabulary=128_256) < 52e9


def test_the_second_engine_can_be_asked_for(tmp_path: Path, shelf: Shelf) -> None:
    """For the context beyond a window."""
    checkpoint = make("mistral_window", tmp_path / "mistral")
    made = convert(checkpoint, shelf=shelf, name="desk", engine="transformers")
    assert (made.engine, made.variant, made.context_length) == ("transformers", "float32", 256)
    assert "Runs on transformers with the source's own weights: float32, not int8." in made.notes


def test_a_tokenizer_of_the_older_kind_is_made_a_new_one(tmp_path: Path, shelf: Shelf) -> None:
    pytest.importorskip("google.protobuf", reason="transformers reads sentencepiece models with protobuf")
    checkpoint = make("llama2", tmp_path / "llama2")
    tokenizer = _sentencepiece(checkpoint)
    size = len(tokenizer)
    shutil.rmtree(checkpoint)
    make("llama2", checkpoint, vocab_size=size, eos_token_id=2, bos_token_id=1)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    _sentencepiece(checkpoint)

    made = convert(checkpoint, shelf=shelf, name="desk", to="float32")

    assert "tokenizer.json" in made.files
    assert any("made by transformers" in note for note in made.notes)


def _sentencepiece(folder: Path) -> Any:
    import sentencepiece

    text = folder.parent / "text.txt"
    text.write_text("the harbour office opens at nine\nships wait outside until the tide turns\n" * 40)
    with (folder / "tokenizer.model").open("wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            input=str(text),
            model_writer=out,
            vocab_size=300,
            model_type="bpe",
            byte_fallback=True,
            minloglevel=2,
            hard_vocab_limit=False,
        )
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "eos_token": "</s>", "bos_token": "<s>"})
    )
    (folder / "tokenizer.json").unlink(missing_ok=True)
    return source.load_tokenizer(folder)


def test_the_converter_is_as_it_was_afterwards(qwen: Path, shelf: Shelf, tmp_path: Path) -> None:
    from ctranslate2.converters import transformers as stock

    before = dict(stock._MODEL_LOADERS)
    convert(qwen, shelf=shelf, name="desk", to="float32")
    assert before == stock._MODEL_LOADERS
    family = families.family_of({"architectures": ["Qwen2ForCausalLM"]})
    assert family is not None
    assert family.patched is not None
    with contextlib.suppress(RuntimeError), family.patched({}):
        assert before != stock._MODEL_LOADERS
        raise RuntimeError
    assert before == stock._MODEL_LOADERS


def test_a_gap_in_a_tokenizers_ids_moves_no_token(tmp_path: Path) -> None:
    from inference.families.loaders import vocabulary

    class Gapped:
        def get_vocab(self) -> dict[str, int]:
            return {"a": 0, "c": 3, "<extra_id_0>": 4, "beyond": 9}

    assert vocabulary(Gapped(), size=6) == [
        "a",
        "<extra_id_1>",
        "<extra_id_2>",
        "c",
        "<extra_id_0>",
        "<extra_id_3>",
    ]


def test_a_source_is_found_by_its_path_or_where_pull_has_put_it(qwen: Path, shelf: Shelf) -> None:
    assert find_source(str(qwen), shelf=shelf) == qwen
    with pytest.raises(ConversionRefused, match="frontdesk models pull ORG/NAME"):
        find_source("Qwen/Tiny", shelf=shelf)
    fetched = shelf.sources / "Qwen--Tiny" / ("ab" * 20)
    fetched.mkdir(parents=True)
    assert find_source("Qwen/Tiny", shelf=shelf) == fetched
    assert find_source(f"Qwen/Tiny@{'ab' * 20}", shelf=shelf) == fetched
    with pytest.raises(ConversionRefused):
        find_source("Qwen/Tiny@cdcd", shelf=shelf)


# -- the commands ----------------------------------------------------------------------------------------------


def run(*words: str) -> Any:
    return CliRunner().invoke(app, [*words])


def test_the_commands_convert_and_quantise_print_the_manifest(qwen: Path, tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    first = run("convert", str(qwen), "--name", "desk", "--to", "float32", "--json", *data)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["variant"] == "float32"
    second = run("quantise", "desk", "--to", "int8", "--json", *data)
    assert second.exit_code == 0, second.output
    told = json.loads(second.stdout)
    assert (told["name"], told["variant"], told["parity"]["passed"]) == ("desk", "int8", True)
    people = run("quantise", "desk", "--to", "bfloat16", *data)
    assert "is installed" in people.stdout
    assert "logits, long" in people.stdout


def test_a_refusal_is_a_sentence_and_the_gates_table(
    qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference.parity import chat as parity_chat

    monkeypatch.setattr(parity_chat, "LOGITS", 1e-12)
    words = ("convert", str(qwen), "--name", "desk", "--to", "float32", "--data", str(tmp_path))
    refused = run(*words)
    assert refused.exit_code == 1
    assert "differs from its source and was not installed" in refused.stderr
    assert "logits, long" in refused.stderr
    refused = run(*words, "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["parity"]["passed"] is False


def test_the_starter_has_no_source_to_quantise(tmp_path: Path) -> None:
    refused = run("quantise", "starter", "--data", str(tmp_path))
    assert refused.exit_code == 1
    assert "nobody knows its source" in refused.stderr


def test_the_readmes_table_of_families_is_the_real_one() -> None:
    text = README.read_text(encoding="utf-8")
    inside = text.partition("<!-- families")[2].partition("-->")[2].partition("<!-- /families -->")[0]
    assert inside.strip() == families.as_markdown()
    assert run("families", "--markdown").stdout.strip() == families.as_markdown()
    assert len(json.loads(run("families", "--json").stdout)) == len(families.table())
