"""Names lead to folders and nowhere else; a folder says at once everything that it lacks."""

import json
import shutil
from pathlib import Path

import pytest

from inference import library
from inference.chat import Chat, ChatError
from inference.library import Library, ModelDamaged, ModelIncomplete, ModelNotFound
from inference.library.shelf import Shelf
from tests.inference.shelved import path_of, put


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
    with pytest.raises(ModelNotFound, match="put its folder into"):
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


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "models")


def older(number):
    return f"2026-01-01T00:00:{number:02}+00:00"


def test_a_name_means_the_newest_versions_preferred_variant(shelf, folder):
    put(shelf, folder, source="old", variant="int8", created=older(1))
    put(shelf, folder, source="new", variant="float32", created=older(2))
    new = put(shelf, folder, source="new", variant="float16", created=older(3))
    find = Library(root=shelf.root).find
    assert find("desk").name == str(new.reference)  # float16 is preferred to float32, whichever came first
    put(shelf, folder, source="new", variant="awq", created=older(9))
    assert find("desk").name == str(new.reference)
    newest = put(shelf, folder, source="new", variant="int8", created=older(10))
    assert find("desk").name == str(newest.reference)


def test_a_variant_that_joins_an_old_version_does_not_make_it_new(shelf, folder):
    old = put(shelf, folder, source="old", variant="int8", created=older(1))
    new = put(shelf, folder, source="new", variant="int8", created=older(2))
    put(shelf, folder, source="old", variant="float32", created=older(3))
    library = Library(root=shelf.root)
    assert library.find("desk").name == str(new.reference)
    assert library.find(f"desk@{old.version}").name == str(old.reference)
    assert library.find("desk:float32").name == f"desk@{old.version}:float32"
    assert [model.name for model in library.variants("desk")] == [
        f"desk@{new.version}:int8",
        f"desk@{old.version}:int8",
        f"desk@{old.version}:float32",
    ]
    assert [model.name for model in library.list()][1:] == [model.name for model in library.variants("desk")]


def test_times_are_compared_as_times_whatever_their_zone(shelf, folder):
    put(shelf, folder, source="old", created="2026-01-01T12:00:00+02:00")
    new = put(shelf, folder, source="new", created="2026-01-01T11:00:00+00:00")
    assert Library(root=shelf.root).find("desk").version == new.version


def test_what_is_not_there_is_told_with_what_is(shelf, folder):
    made = put(shelf, folder)
    library = Library(root=shelf.root)
    for text in ("desk:float32", "desk@01234567", "desk@01234567:int8", f"desk@{made.version}:awq"):
        with pytest.raises(
            ModelNotFound, match=rf"There is no {text}\. Of that name there are: {made.reference}"
        ):
            library.find(text)
    with pytest.raises(ModelNotFound, match="Models here: starter, desk"):
        library.find("other")


def test_a_variant_gives_what_its_manifest_says_before_any_other_file(shelf, folder):
    made = put(shelf, folder, context_length=77, end_token_ids=(7, 8), licence="MIT", engine_reason="why")
    found = Library(root=shelf.root).find("desk")
    assert (found.context_length, found.licence, found.title) == (77, "MIT", "desk")
    assert (found.kind, found.engine, found.variant, found.manifest) == ("chat", "ctranslate2", "int8", made)
    assert library.context_length(found.path) == 77
    assert library.end_token_ids(found.path, token_id={}.get) == (7, 8)
    assert found.size > made.size


def test_a_manifest_without_end_tokens_leaves_the_other_files_to_say_them(shelf, folder):
    put(shelf, folder)
    found = Library(root=shelf.root).find("desk")
    assert library.end_token_ids(found.path, token_id={"<|im_end|>": 5}.get)[-1] == 5


def test_a_path_into_the_library_is_the_variant_and_one_elsewhere_its_folder(shelf, folder, tmp_path):
    made = put(shelf, folder)
    path = path_of(shelf, made)
    assert Library(root=shelf.root).find(str(path)).name == str(made.reference)
    shutil.copytree(path, tmp_path / "copied")
    found = Library(root=shelf.root).find(str(tmp_path / "copied"))
    assert (found.name, found.title, found.variant) == ("copied", "copied", "int8")


def test_a_plain_folder_and_variants_may_share_a_name_and_the_plain_one_is_the_name(shelf, folder):
    made = put(shelf, folder)
    for file in folder.iterdir():
        shutil.copy(file, shelf.root / "desk")
    library = Library(root=shelf.root)
    assert library.find("desk").name == "desk"
    assert library.find("desk:int8").name == str(made.reference)
    assert [model.name for model in library.variants("desk")] == ["desk", str(made.reference)]


def test_a_damaged_variant_is_not_listed_and_its_neighbour_stands_in(shelf, folder):
    good, bad = put(shelf, folder, variant="float32"), put(shelf, folder, variant="int8")
    with (path_of(shelf, bad) / "model.bin").open("ab") as file:
        file.write(b"x")
    found = Library(root=shelf.root)
    assert found.find("desk").name == str(good.reference)
    assert [model.name for model in found.list()][1:] == [str(good.reference)]
    for text in ("desk:int8", str(bad.reference)):
        with pytest.raises(ModelDamaged, match=r"changed: model\.bin"):
            found.find(text)


def test_a_variant_that_was_moved_by_hand_is_not_what_its_place_says(shelf, folder):
    made = put(shelf, folder)
    path_of(shelf, made).rename(path_of(shelf, made).with_name("float32"))
    with pytest.raises(ModelDamaged, match="It was moved by hand"):
        Library(root=shelf.root).find("desk:float32")


def test_folders_that_are_no_versions_and_no_variants_are_none(shelf, folder):
    made = put(shelf, folder)
    path = path_of(shelf, made)
    shutil.copytree(path, path.with_name("int4"))
    shutil.copytree(path.parent, path.parent.with_name("not-a-version"))
    assert Library(root=shelf.root).references("desk") == [made.reference]


@pytest.mark.parametrize(
    "text", ["desk:../int8", "desk@..:int8", "desk@../../..", "desk@01234567:..", "desk:int8/"]
)
def test_no_part_of_a_reference_leads_outside(shelf, folder, text):
    put(shelf, folder)
    with pytest.raises(ModelNotFound):
        Library(root=shelf.root).find(text)


def without(folder, tmp_path, *names, adding=()):
    made = tmp_path / "source"
    shutil.copytree(folder, made, ignore=lambda *_: names)
    for name in adding:
        (made / name).write_text("[]")
    return made


VOCABULARY = "vocabulary.json"
WEIGHTS = ("model.bin", VOCABULARY)


@pytest.mark.parametrize(
    ("kind", "engine", "gone", "added", "lacks"),
    [
        ("chat", "ctranslate2", (VOCABULARY,), (), "vocabulary.json"),
        ("embedder", "ctranslate2", (VOCABULARY,), (), "vocabulary.json"),
        ("embedder", "ctranslate2", (), (), ""),
        ("classifier", "ctranslate2", (), (), "head.npz"),
        ("seq2seq", "ctranslate2", (VOCABULARY,), (), "shared_vocabulary.json or source_vocabulary.json"),
        ("seq2seq", "ctranslate2", (VOCABULARY,), ("shared_vocabulary.json",), ""),
        (
            "seq2seq",
            "ctranslate2",
            (VOCABULARY,),
            ("source_vocabulary.json",),
            "shared.* or target_vocabulary.json",
        ),
        ("seq2seq", "ctranslate2", (VOCABULARY,), ("source_vocabulary.json", "target_vocabulary.json"), ""),
        ("chat", "transformers", WEIGHTS, (), r"its weights \(\*\.safetensors\)"),
        ("chat", "transformers", (*WEIGHTS, "tokenizer.json"), (), "tokenizer.json"),
    ],
)
def test_each_kind_of_model_needs_its_own_files(shelf, folder, tmp_path, kind, engine, gone, added, lacks):
    put(shelf, without(folder, tmp_path, *gone, adding=added), kind=kind, engine=engine)
    if not lacks:
        assert Library(root=shelf.root).find("desk").kind == kind
        return
    with pytest.raises(ModelIncomplete, match=f"lacks {lacks}"):
        Library(root=shelf.root).find("desk")


def test_the_second_engines_models_need_no_converted_weights(shelf, folder, tmp_path):
    source = without(folder, tmp_path, *WEIGHTS)
    (source / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    put(shelf, source, engine="transformers", engine_reason="soft-capping")
    assert Library(root=shelf.root).find("desk").engine == "transformers"


def test_a_model_without_chat_template_is_complete_and_says_so(shelf, folder, tmp_path):
    put(shelf, without(folder, tmp_path, "chat_template.jinja"), has_chat_template=False)
    found = Library(root=shelf.root).find("desk")
    assert (found.kind, found.has_chat_template) == ("chat", False)
    with pytest.raises(ChatError, match="has no chat template"):
        Chat.load(found.path)


def test_a_template_that_the_manifest_promises_is_missed(shelf, folder, tmp_path):
    put(shelf, without(folder, tmp_path, "chat_template.jinja"), has_chat_template=True)
    with pytest.raises(ModelIncomplete, match=r"lacks chat_template\.jinja"):
        Library(root=shelf.root).find("desk")


def test_a_model_is_a_value(shelf, folder):
    put(shelf, folder)
    find = Library(root=shelf.root).find
    assert find("desk") == find("desk")
    assert len({find("desk"), find("desk:int8"), find("starter")}) == 2


def test_a_file_of_settings_deep_as_a_well_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("[" * 200_000)
    with pytest.raises(ModelIncomplete, match="cannot be read"):
        library.read_json(tmp_path / "config.json")
