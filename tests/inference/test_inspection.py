"""Nothing in a folder is trusted: each way to lie is refused with a sentence, before anything is opened."""

import io
import json
import os
import pickle
import shutil
import struct
import zipfile

import numpy as np
import pytest

from inference import sizes
from inference.library import BUNDLED, inspection
from inference.library.inspection import UnsafeFolder, inspect_model, inspect_source


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(start, stop, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


GOOD = {"a": tensor(0, 4), "b": tensor(4, 8, (1, 1)), "__metadata__": {"format": "pt"}}


@pytest.fixture
def source(tmp_path):
    """As transformers writes one."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "tokenizer.json").write_text("{}")
    (source / "tokenizer.model").write_bytes(b"\x0a\x0b")
    (source / "model.safetensors").write_bytes(safetensors(GOOD, b"\0" * 8))
    return source


@pytest.fixture
def model(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "model")


def test_honest_folders_pass(source, model):
    inspect_source(source)
    inspect_model(model)
    inspect_model(BUNDLED)
    inspect_model(source)  # the second engine's models keep their safetensors


def test_what_transformers_and_numpy_write_passes(tmp_path):
    torch = pytest.importorskip("torch")
    save = pytest.importorskip("safetensors.torch").save_file
    save(
        {
            "a": torch.zeros(3, 5),
            "b": torch.zeros(2, dtype=torch.bfloat16),
            "none": torch.zeros(0, 4),
            "c": torch.zeros(4, dtype=torch.int64),
        },
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    np.savez(tmp_path / "head.npz", weight=np.zeros((3, 2), np.float32), bias=np.zeros(3, np.float64))
    np.savez_compressed(tmp_path / "small.npz", labels=np.zeros(3, np.int32), on=np.array(True))
    inspect_source(tmp_path)
    inspect_model(tmp_path)


@pytest.mark.parametrize("inspect", [inspect_source, inspect_model])
@pytest.mark.parametrize("where", ["file", "folder", "up", "dangling", "circle"])
def test_a_link_out_of_the_folder_is_refused(source, tmp_path, inspect, where):
    (tmp_path / "secret.json").write_text("{}")
    target = {
        "file": tmp_path / "secret.json",
        "folder": tmp_path,
        "up": "../secret.json",
        "dangling": "nowhere",
        "circle": "link.json",
    }[where]
    (source / "link.json").symlink_to(target)
    with pytest.raises(
        UnsafeFolder, match="leads out of its folder" if where in ("file", "folder", "up") else "read"
    ):
        inspect(source)


def test_a_link_to_a_folder_inside_is_refused(source):
    (source / "sub").mkdir()
    (source / "link").symlink_to("sub")
    with pytest.raises(UnsafeFolder, match="no ordinary file"):
        inspect_source(source)


def test_a_pipe_is_refused_and_never_opened(source):
    os.mkfifo(source / "vocab.json")
    with pytest.raises(UnsafeFolder, match="no ordinary file"):
        inspect_source(source)


@pytest.mark.parametrize("name", ["a\\b.json", "a\nb.json", "a\x1b[31m.json", "c:x.json", b"a\xff.json"])
def test_a_name_that_means_something_elsewhere_is_refused(source, name):
    path = os.fsencode(source) + b"/" + (name if isinstance(name, bytes) else name.encode())
    with open(path, "w") as file:  # noqa: PTH123 (a Path holds no bytes)
        file.write("{}")
    with pytest.raises(UnsafeFolder, match="no model needs such a name") as refused:
        inspect_source(source)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "pytorch_model.bin",
            "pytorch_model-00001-of-00002.bin",
            "training_args.bin",
            "MODEL.BIN",
            "weights.pt",
        ),
        *("a.pth", "a.pkl", "a.ckpt", "deep/er/a.pickle"),
    ],
)
def test_a_pickle_is_refused_by_its_name(source, name):
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_bytes(b"harmless")
    with pytest.raises(UnsafeFolder, match="is a pickle, or may be one"):
        inspect_source(source)


@pytest.mark.parametrize(
    "name", ["vocab.txt", "spiece.model", "config.json", "head.npz", "model.safetensors"]
)
def test_a_pickle_is_refused_by_its_content_whatever_its_name(source, name):
    (source / name).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UnsafeFolder):
        inspect_source(source)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("archive/data.pkl", b"")
    (source / name).write_bytes(archive.getvalue())
    with pytest.raises(UnsafeFolder):
        inspect_model(source)


def test_model_bin_is_a_pickle_in_a_source_only(model):
    inspect_model(model)
    with pytest.raises(UnsafeFolder, match="is a pickle"):
        inspect_source(model)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends before its header"),
        (b"\x05\0\0", "ends before its header"),
        (struct.pack("<Q", 2**60) + b"{}", "claims 1,152,921,504,606,846,976 bytes"),
        (struct.pack("<Q", 2**64 - 1), "claims"),
        (struct.pack("<Q", 3) + b"{}", "ends inside its header"),
        (safetensors(b"{" * 3), "damaged"),
        (safetensors(b"[" * 50_000), "damaged"),
        (safetensors([]), "no object"),
        (safetensors(b'{"a":1,"a":2}'), "twice"),
        (safetensors({"a": 5}), "damaged"),
        (safetensors({"a": tensor(0, 4)}, b"\0" * 3), "tensors end at"),
        (safetensors({"a": tensor(0, 4)}, b"\0" * 5), "tensors end at"),
        (safetensors({"a": tensor(0, 4), "b": tensor(0, 4)}, b"\0" * 4), "overlap"),
        (safetensors({"a": tensor(0, 4), "b": tensor(8, 12)}, b"\0" * 12), "holes"),
        (safetensors({"a": tensor(0, 4, (2,))}, b"\0" * 4), "another size"),
        (safetensors({"a": tensor(-4, 0)}), "no sensible shape"),
        (safetensors({"a": tensor(0, 4, (-1,))}, b"\0" * 4), "no sensible shape"),
        (safetensors({"a": tensor(0, 2**70, (2**68,))}), "no sensible shape"),
        (safetensors({"a": tensor(0, 4, (True,))}, b"\0" * 4), "no sensible shape"),
        (safetensors({"a": tensor(0, 4, (1.0,))}, b"\0" * 4), "no sensible shape"),
        (safetensors({"a": tensor(0, 4, [2**62] * 10_000)}, b"\0" * 4), "10000 dimensions"),
        (safetensors({"a": tensor(0, 4, dtype="OBJECT")}, b"\0" * 4), "unknown type"),
    ],
)
def test_a_safetensors_header_that_lies_is_refused(source, content, reason):
    (source / "model.safetensors").write_bytes(content)
    for inspect in (inspect_source, inspect_model):
        with pytest.raises(UnsafeFolder, match=reason) as refused:
            inspect(source)
        assert "model.safetensors" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../outside.safetensors", "no safetensors file beside it"),
        ("/etc/passwd", "no safetensors file beside it"),
        ("pytorch_model.bin", "no safetensors file beside it"),
        ("a\\..\\b.safetensors", "no safetensors file beside it"),
        ("absent.safetensors", "is missing"),
    ],
)
def test_an_index_that_sends_the_reader_elsewhere_is_refused(source, tmp_path, name, reason):
    (tmp_path / "outside.safetensors").write_bytes(safetensors(GOOD, b"\0" * 8))
    index = {"weight_map": {"a": "model.safetensors", "b": "model.safetensors"}}
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    inspect_source(source)
    index["weight_map"]["b"] = name
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeFolder, match=reason):
        inspect_source(source)


@pytest.mark.parametrize(("name", "limit"), [("config.json", "_JSON"), ("vocabulary.json", "_VOCABULARY")])
def test_json_that_no_model_has_is_refused(model, monkeypatch, name, limit):
    with (model / name).open("ab") as file:
        file.truncate(getattr(inspection, limit))  # a hole: no disk is used
    inspect_model(model)
    with (model / name).open("ab") as file:
        file.truncate(getattr(inspection, limit) + 1)
    with pytest.raises(UnsafeFolder, match="no model's"):
        inspect_model(model)


def packed(*variables, version=6, count=None, aliases=(), alias_count=None, spec=b"TransformerDecoderSpec"):
    """A model.bin: (name, shape, type, size, data) for each variable."""
    data = struct.pack("<I", version) + text(spec) + struct.pack("<I", 1)
    data += struct.pack("<I", len(variables) if count is None else count)
    for name, shape, kind, size, content in variables:
        data += text(name) + struct.pack("<B", len(shape)) + b"".join(struct.pack("<I", d) for d in shape)
        data += struct.pack("<BI", kind, size) + content
    data += struct.pack("<I", len(aliases) if alias_count is None else alias_count)
    return data + b"".join(text(name) for pair in aliases for name in pair)


def text(name):
    return struct.pack("<H", len(name) + 1) + name + b"\0"


WEIGHT = (b"a/weight", (2, 3), 0, 24, b"\0" * 24)
NUMBER = (b"a/heads", (), 1, 1, b"\x04")


def test_a_walked_header_gives_what_it_holds(model):
    (model / "model.bin").write_bytes(packed(WEIGHT, NUMBER, aliases=[(b"b/weight", b"a/weight")]))
    inspect_model(model)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends too early"),
        (packed(WEIGHT)[:-5], "ends too early"),
        (packed(WEIGHT)[:60], "ends too early"),
        (packed(WEIGHT) + b"x", "goes on for 1 bytes"),
        (packed(WEIGHT, version=7), "binary version 7"),
        (packed(WEIGHT, count=2**32 - 1), "claims to hold 4,294,967,295 variables"),
        (packed(WEIGHT, alias_count=2**31), "claims to hold 2,147,483,648 aliases"),
        (packed((b"a", (2, 3), 0, 2**32 - 1, b"")), "its shape"),
        (packed((b"a", (2**30,), 1, 2**30, b"")), "reaches beyond it"),
        (packed((b"a", (2**32 - 1,) * 8, 0, 4, b"\0" * 4)), "its shape"),
        (packed((b"a", (2,), 0, 4, b"\0" * 4)), "its shape"),
        (packed((b"a", (1,) * 200, 0, 4, b"\0" * 4)), "200 dimensions"),
        (packed((b"a", (1,), 77, 4, b"\0" * 4)), "unknown type"),
        (packed(WEIGHT, WEIGHT), "twice"),
        (packed(WEIGHT, aliases=[(b"x", b"nowhere")]), "not there"),
        (packed((b"a\0b", (1,), 0, 4, b"\0" * 4)), "a name in it"),
        (packed((b"\xff\xff", (1,), 0, 4, b"\0" * 4)), "damaged"),
        (struct.pack("<IH", 6, 65_535) + b"short", "ends too early"),
        (struct.pack("<IH", 6, 0), "ends too early"),
        (pickle.dumps({"a": 1}), "binary version"),
    ],
)
def test_a_model_bin_that_lies_is_refused(model, content, reason):
    (model / "model.bin").write_bytes(content)
    with pytest.raises(UnsafeFolder, match=reason) as refused:
        inspect_model(model)
    assert "model.bin" in str(refused.value)


def test_a_model_bin_cut_anywhere_in_its_header_is_refused(model):
    whole = packed(WEIGHT, NUMBER, aliases=[(b"b/weight", b"a/weight")])
    for length in range(len(whole)):
        (model / "model.bin").write_bytes(whole[:length])
        with pytest.raises(UnsafeFolder):
            inspect_model(model)


def test_no_weight_is_read_to_know_a_models_sizes(model):
    """A file of 40 GB, all hole: whoever read it would still be reading."""
    wide = (2**32 - 4) // 4
    with (model / "model.bin").open("wb") as file:
        file.write(struct.pack("<I", 6) + text(b"spec") + struct.pack("<II", 1, 10))
        for number in range(10):
            file.write(text(b"decoder/%d" % number) + struct.pack("<BIBI", 1, wide, 0, wide * 4))
            file.seek(wide * 4, os.SEEK_CUR)
        file.write(struct.pack("<I", 0))
    inspect_model(model)
    with pytest.raises(ValueError, match="describes no decoder"):
        sizes.read(model)


def npy(array_header, data=b"", length=None):
    header = array_header.encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header) if length is None else length) + header + data


def zipped(**members):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, content in members.items():
            writer.writestr(name.replace("_npy", ".npy"), content)
    return archive.getvalue()


FLOATS = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"PK\x03\x04", "damaged"),
        (zipped(a_npy=npy(FLOATS, b"\0" * 8))[:-10], "damaged"),
        (zipped(a_npy=npy(FLOATS.replace("<f4", "|O"), b"\0" * 8)), "may be a pickle"),
        (zipped(a_npy=npy(FLOATS.replace("'<f4'", "[('a', '|O')]"), b"\0" * 8)), "may be a pickle"),
        (zipped(a_npy=npy(FLOATS.replace("<f4", "<U4"), b"\0" * 8)), "may be a pickle"),
        (zipped(a_npy=npy(FLOATS, b"\0" * 7)), "another size"),
        (zipped(a_npy=npy(FLOATS.replace("(2,)", "(2**9,)"))), "damaged"),
        (zipped(a_npy=npy(FLOATS.replace("(2,)", "(-2,)"), b"\0" * 8)), "no sensible shape"),
        (zipped(a_npy=npy("(" * 9000)), "damaged"),
        (zipped(a_npy=npy(FLOATS, length=60_000)), "claims 60,000 bytes"),
        (zipped(a_npy=npy("__import__('os').system('x')")), "damaged"),
        (zipped(a_npy=pickle.dumps(1)), "no array"),
        (zipped(a_py=b""), "no array"),
        (zipped(**{"../a_npy": npy(FLOATS, b"\0" * 8)}), "no array"),
    ],
)
def test_arrays_that_are_no_numbers_are_refused(model, content, reason):
    (model / "head.npz").write_bytes(content)
    with pytest.raises(UnsafeFolder, match=reason):
        inspect_model(model)
    (model / "head.npz").write_bytes(zipped(a_npy=npy(FLOATS, b"\0" * 8)))
    inspect_model(model)


def test_an_archive_that_unpacks_to_a_mountain_is_refused(model, monkeypatch):
    monkeypatch.setattr(inspection, "_HEAD", 1000)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("a.npy", b"\0" * 1001)
    (model / "head.npz").write_bytes(archive.getvalue())
    with pytest.raises(UnsafeFolder, match="unpacks to more"):
        inspect_model(model)


def test_a_lone_array_of_objects_is_refused(model):
    np.save(model / "good.npy", np.zeros(3, np.float32))
    inspect_model(model)
    np.save(model / "bad.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UnsafeFolder, match="may be a pickle"):
        inspect_model(model)


def test_nobody_reads_what_is_hidden_in_a_source(source, tmp_path):
    (source / ".git").mkdir()
    (source / ".git" / "pack.bin").symlink_to(tmp_path)
    inspect_source(source)
    with pytest.raises(UnsafeFolder):
        inspect_model(source)


def test_a_folder_that_is_none_is_refused(tmp_path):
    for inspect in (inspect_source, inspect_model):
        with pytest.raises(UnsafeFolder, match="There is no folder"):
            inspect(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "said",
    [
        {"attn_implementation": "somebody/kernels"},
        {"text_config": {"_attn_implementation": {"": "some/body@main"}}},
    ],
)
def test_a_source_that_names_kernels_to_fetch_is_refused(source, said):
    config = json.loads((source / "config.json").read_text()) if (source / "config.json").exists() else {}
    (source / "config.json").write_text(json.dumps(config | said))
    with pytest.raises(UnsafeFolder, match="asks for code from elsewhere"):
        inspect_source(source)
