"""Names lead to folders and nowhere else; a folder says at once everything that it lacks."""

import json
import shutil
from pathlib import Path

import pytest

from inference import library
from inference.library import Library, ModelIncomplete, ModelNotFound


@pytest.fixture
def root(folder, tmp_path):
    root = tmp_path / "models"
    shutil.copytree(folder, root / "small-1.5b")
    (root / "unfinished").mkdir()
    (root / "note.txt").write_text("no model")
    return root


def test_a_name_leads_to_the_folder_below_the_root(root):
    found = Library(root=root).find("small-1.5b")
    assert (found.name, found.path, found.context_length) == ("small-1.5b", root / "small-1.5b", 512)
    assert "Random weights" in found.description


def test_only_complete_models_are_listed(root):
    names = [model.name for model in Library(root=root).list()]
    assert [name for name in names if name != library.STARTER] == ["small-1.5b"]
    assert Library(root=root / "nowhere").list() == Library(root=None).list()


@pytest.mark.parametrize(
    "name", ["", " ", "small 1.5b", "-x", "_x", "x" * 65, "small-1.5b\n", "ｓmall", "a:b", "a\x00b", "*"]
)
def test_what_is_no_name_is_refused_and_the_known_ones_are_told(root, name):
    with pytest.raises(ModelNotFound, match="no model name") as refused:
        Library(root=root).find(name)
    assert "small-1.5b" in str(refused.value)


@pytest.mark.parametrize(
    "name", ["..", ".", "../models", "small-1.5b/..", "..\\models", "~", "./x", ".hidden"]
)
def test_what_looks_like_a_path_is_a_path_and_never_a_name(root, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ModelNotFound):
        Library(root=root).find(name)


def test_a_folder_of_the_working_directory_never_shadows_a_name(root, folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound, match="There is no model named 'mine'"):
        Library(root=root).find("mine")
    assert Library(root=root).find("./mine").path == tmp_path / "mine"


def test_a_path_gives_a_model_named_after_its_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert Library(root=None).find(str(folder)).name == folder.name
    assert Library(root=None).find("./").name == folder.name
    monkeypatch.setenv("HOME", str(folder.parent))
    assert Library(root=None).find(f"~/{folder.name}").path == folder


def test_an_unknown_name_tells_what_to_do(root):
    with pytest.raises(ModelNotFound, match="Put its folder into"):
        Library(root=root).find("other")
    with pytest.raises(ModelNotFound, match="Give a path"):
        Library(root=None).find("other")


def test_every_missing_file_is_named_at_once(root):
    with pytest.raises(ModelIncomplete) as refused:
        Library(root=root).find("unfinished")
    assert all(file in str(refused.value) for file in library.NEEDED)
    model = root / "small-1.5b"
    (model / "model.bin").unlink()
    (model / "chat_template.jinja").unlink()
    with pytest.raises(ModelIncomplete, match=r"lacks model\.bin, chat_template\.jinja"):
        Library(root=root).find("small-1.5b")


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_settings_file_that_cannot_be_read_is_named(root, text):
    file = root / "small-1.5b" / "tokenizer_config.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelIncomplete, match=r"tokenizer_config\.json"):
        Library(root=root).find("small-1.5b")


def test_a_folder_may_be_linked_into_the_library(root, folder):
    (root / "linked").symlink_to(folder)
    assert Library(root=root).find("linked").name == "linked"


def written(tmp_path, **files):
    for name, value in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    return tmp_path


@pytest.mark.parametrize(
    ("card", "tokenizer", "length"),
    [
        ({"context_length": 100}, {"model_max_length": 200}, 100),
        ({}, {"model_max_length": 200}, 200),
        ({}, {"model_max_length": 10**30}, None),
        ({}, {"model_max_length": 1e30}, None),
        ({}, {}, None),
        ({"context_length": 1}, {}, None),
        ({"context_length": "4096"}, {}, None),
        ({"context_length": True}, {}, None),
    ],
)
def test_the_context_length_is_what_the_folder_says_and_never_a_guess(tmp_path, card, tokenizer, length):
    folder = written(tmp_path, frontdesk=card, tokenizer_config=tokenizer)
    if length is not None:
        assert library.context_length(folder) == length
        return
    with pytest.raises(ModelIncomplete, match=r"frontdesk\.json"):
        library.context_length(folder)


@pytest.mark.parametrize(
    ("generation", "tokenizer", "config", "ids"),
    [
        ({"eos_token_id": 3}, {"eos_token": "<a>"}, {"eos_token": "<b>"}, (3, 0, 1)),
        ({"eos_token_id": [3, 0]}, {"eos_token": {"content": "<a>"}}, {}, (3, 0)),
        ({"eos_token_id": None}, {"eos_token": None}, {"eos_token": "<unheard of>"}, ()),
        ({}, {}, {}, ()),
    ],
)
def test_every_end_token_is_found_wherever_it_is_written(tmp_path, generation, tokenizer, config, ids):
    folder = written(tmp_path, generation_config=generation, tokenizer_config=tokenizer, config=config)
    assert library.end_token_ids(folder, token_id={"<a>": 0, "<b>": 1}.get) == ids


def test_a_missing_file_of_settings_is_empty(tmp_path):
    assert library.read_json(Path(tmp_path / "none.json")) == {}
