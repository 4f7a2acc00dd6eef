"""A manifest says what a folder is; whatever differs is named, and whatever is no manifest is refused."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from inference.library import manifest
from inference.library.manifest import FileEntry, Manifest
from inference.library.reference import ModelDamaged, NoReference, Reference
from tests.inference.shelved import described


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_manifest_comes_back_from_its_json_as_it_was(copy):
    made = described(
        copy, notes=("a note",), labels=("good", "bad"), end_token_ids=(1, 2), parity={"a": [1.5]}
    )
    assert Manifest.from_json(made.to_json()) == made
    assert json.loads(made.to_json())["format"] == 1
    assert str(made.reference) == f"desk@{made.version}:int8"
    assert made.size == sum(path.stat().st_size for path in copy.iterdir())


def test_a_report_with_figures_that_are_no_numbers_is_still_json(copy):
    made = described(copy, parity={"worst": float("inf"), "each": [float("nan"), 1.0]})
    assert json.loads(made.to_json())["parity"] == {"worst": None, "each": [None, 1.0]}


def test_another_format_is_refused_in_a_sentence(copy):
    value = json.loads(described(copy).to_json()) | {"format": 2}
    with pytest.raises(ModelDamaged, match="has the format 2, and this Frontdesk reads format 1"):
        Manifest.from_json(json.dumps(value))


WRONG = {
    "name": ["../x", "", "a/b", ".hidden", 5, None],
    "version": ["../../x", "ABCDEF01", "abc", "abcdef012", 1],
    "variant": ["int4", "../int8", None],
    "kind": ["chatty"],
    "engine": ["pickle"],
    "context_length": [1, "512", True, None],
    "end_token_ids": [[-1], ["1"], [True], 5],
    "has_chat_template": [1],
    "source": [{}, {"id": "a"}, {"id": 1, "revision": "", "path": "", "digest": ""}, []],
    "created": ["yesterday", "2026-01-01", 5],
    "notes": ["text", [1]],
    "parity": [[], None],
    "tools": [{"a": 1}],
    "files": [
        {},
        [],
        *(
            {name: {"sha256": "0" * 64, "size": 1}}
            for name in (
                "../x",
                "/etc/passwd",
                "a/../../b",
                "a\\b",
                "a\0b",
                "a//b",
                "./a",
                "C:x",
                "a\nb",
                "",
                ".",
            )
        ),
        {"manifest.json": {"sha256": "0" * 64, "size": 1}},
        {"a": {"sha256": "0" * 63, "size": 1}},
        {"a": {"sha256": "X" * 64, "size": 1}},
        {"a": {"sha256": "0" * 64, "size": -1}},
        {"a": {"sha256": "0" * 64}},
    ],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_a_field_that_lies_is_named(copy, field, value):
    text = json.dumps(json.loads(described(copy).to_json()) | {field: value})
    with pytest.raises(ModelDamaged, match=f"no manifest: {field} is wrong"):
        Manifest.from_json(text)


def test_every_missing_and_unknown_field_is_named_at_once(copy):
    value = json.loads(described(copy).to_json())
    del value["kind"], value["files"]
    with pytest.raises(ModelDamaged) as refused:
        Manifest.from_json(json.dumps(value | {"colour": "red"}))
    assert "kind is missing, files is missing, 'colour' is unknown" in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[]", "5", "[" * 100_000, "\xff", " " * (17 * 2**20)])
def test_what_is_no_json_object_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelDamaged, match=r"manifest\.json"):
        manifest.read(tmp_path)


def test_a_folder_without_manifest_has_none_and_is_not_verified(copy):
    assert manifest.read(copy) is None
    with pytest.raises(ModelDamaged, match="nothing to verify it against"):
        manifest.verify(copy)


def test_a_folder_as_it_was_made_is_verified(copy):
    made = described(copy)
    (copy / "manifest.json").write_text(made.to_json())
    assert manifest.verify(copy) == made


def test_every_missing_changed_and_additional_file_is_named(copy):
    made = described(copy)
    (copy / "vocabulary.json").unlink()
    data = bytearray((copy / "model.bin").read_bytes())
    data[-1] ^= 1
    (copy / "model.bin").write_bytes(data)
    (copy / "more").mkdir()
    (copy / "more" / "x.py").write_text("")
    with pytest.raises(ModelDamaged) as refused:
        made.verify(copy)
    assert "missing: vocabulary.json; changed: model.bin; not in the manifest: more/x.py" in str(
        refused.value
    )
    with pytest.raises(ModelDamaged) as refused:
        made.check(copy)  # looks at sizes only
    assert "missing: vocabulary.json; not in" in str(refused.value)


def test_another_size_is_seen_without_reading(copy):
    made = described(copy)
    with (copy / "model.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelDamaged, match=r"changed: model\.bin"):
        made.check(copy)


@pytest.mark.parametrize("kind", ["out", "in", "folder", "pipe"])
def test_what_is_no_ordinary_file_is_none_of_the_model(copy, tmp_path, kind):
    made = described(copy)
    (copy / "config.json").rename(tmp_path / "config.json" if kind == "out" else copy / "other.json")
    if kind == "pipe":
        os.mkfifo(copy / "config.json")
    elif kind == "folder":
        (copy / "config.json").symlink_to(tmp_path)
    else:
        (copy / "config.json").symlink_to(tmp_path / "config.json" if kind == "out" else "other.json")
    with pytest.raises(ModelDamaged, match=r"changed: config\.json"):
        made.check(copy)
    with pytest.raises(ModelDamaged, match="is no ordinary file"):
        manifest.digests(copy)


def test_a_sources_digest_knows_names_and_contents_and_nothing_hidden(copy):
    before = manifest.source_digest(copy)
    (copy / ".git").mkdir()
    (copy / ".git" / "HEAD").write_text("main")
    assert manifest.source_digest(copy) == before
    assert manifest.version_of(before) == before[:8]
    (copy / "config.json").rename(copy / "other.json")
    renamed = manifest.source_digest(copy)
    (copy / "other.json").write_text("{}")
    assert len({before, renamed, manifest.source_digest(copy)}) == 3


def test_the_digest_of_a_source_is_the_one_that_is_written_down(tmp_path):
    (tmp_path / "b").write_text("2")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    sha = {name: manifest.entry_of(tmp_path / name).sha256 for name in ("a/x", "b")}
    lines = f"a/x\0{sha['a/x']}\nb\0{sha['b']}\n".encode()
    assert manifest.source_digest(tmp_path) == manifest.hashlib.sha256(lines).hexdigest()
    assert manifest.entry_of(tmp_path / "b") == FileEntry(manifest.hashlib.sha256(b"2").hexdigest(), 1)


@pytest.mark.parametrize(
    "text", ["a", "a:int8", "a@01234567", "a@01234567:awq", "A.b-c_1" + "x" * 57 + ":bfloat16"]
)
def test_a_reference_is_written_as_it_was_read(text):
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a:int4",
            "a@",
            "a:",
            "a@0123456",
            "a@0123456G",
            "a@012345678",
            "a@../..",
            "a:../x",
            ":int8",
            "@01234567",
        ),
        *("a:int8@01234567", "a@01234567:int8:int8", "a\n", "a:int8\n", "a@01234567\n", "a/b", "ａ", ""),
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(NoReference, match="no model name"):
        Reference.parse(text)


def test_what_the_bot_imports_of_the_library_stays_light():
    heavy = ("numpy", "torch", "ctranslate2", "transformers", "huggingface_hub", "tokenizers", "rich")
    script = (
        "import sys\n"
        "from inference.library import aliases, audit, manifest, shelf\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
