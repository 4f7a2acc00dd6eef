"""What is fetched from a hub is pinned, whole, safe and only what is wanted; and every refusal says what to do."""

import json
import shutil
import socket
from collections import namedtuple

import pytest

from inference.library import durable, hub
from inference.library.hub import PullRefused, pull
from inference.library.inspection import UnsafeFolder, inspect_source
from inference.library.shelf import Shelf
from tests.inference.hub_server import COMMIT, WANTED, Hub, repository, serving, weights
from tests.inference.shelved import all_paths

HOME = "org--tiny"


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "models")


@pytest.fixture
def there():
    with serving(Hub(repository())) as server:
        yield server


def test_a_model_is_fetched_whole_at_its_commit_and_nothing_else_is(shelf, there):
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert (pulled.id, pulled.revision, pulled.licence) == ("org/tiny", COMMIT, "apache-2.0")
    assert pulled.path == shelf.sources / HOME / COMMIT
    assert all_paths(pulled.path) == WANTED
    assert (pulled.path / "model.safetensors").read_bytes() == there.files["model.safetensors"]
    assert all_paths(shelf.sources / HOME) - {f"{COMMIT}/{name}" for name in WANTED} == {".held", COMMIT}
    assert hub.origin(pulled.path) == ("org/tiny", COMMIT)
    inspect_source(pulled.path)
    assert not any(name.endswith((".bin", ".py", ".onnx")) for name in there.sent)


def test_a_folder_that_was_not_pulled_has_its_own_name_for_origin(tmp_path):
    (tmp_path / "mine").mkdir()
    assert hub.origin(tmp_path / "mine") == ("mine", "")


@pytest.mark.parametrize("revision", ["", "main", "v1", COMMIT])
def test_a_branch_a_tag_and_a_commit_lead_to_the_same_place(shelf, there, revision):
    assert pull("org/tiny", shelf=shelf, revision=revision, endpoint=there.url).path.name == COMMIT


def test_what_is_there_already_is_not_fetched_again(shelf, there):
    pull("org/tiny", shelf=shelf, endpoint=there.url)
    before = dict(there.sent)
    pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert there.sent == before
    there.status = 500
    assert pull("org/tiny", shelf=shelf, revision=COMMIT, endpoint=there.url).path.is_dir()


def test_a_cut_connection_goes_on_where_it_was(shelf, there):
    """The client writes in pieces of ten megabytes: what was written is not sent again."""
    whole = there.files["model.safetensors"] = weights(12_000_000)
    there.cut = {"model.safetensors": [11_000_000]}
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert (pulled.path / "model.safetensors").read_bytes() == whole
    assert there.ranges == ["bytes=10485760-"]
    assert there.sent["model.safetensors"] == 11_000_000 + len(whole) - 10_485_760


def test_another_process_goes_on_where_one_was_killed(shelf, there):
    size = len(there.files["model.safetensors"])
    part = shelf.sources / HOME / f"{COMMIT}.part"
    part.mkdir(parents=True)
    (part / "model.safetensors.part").write_bytes(there.files["model.safetensors"][: size - 1000])
    (part / "config.json").write_bytes(there.files["config.json"])
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert (pulled.path / "model.safetensors").read_bytes() == there.files["model.safetensors"]
    assert there.sent["model.safetensors"] == 1000
    assert "config.json" not in there.sent
    assert all_paths(pulled.path) == WANTED


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_what_came_damaged_is_not_kept_and_fetched_anew(shelf, there, name):
    there.lies = {name: bytes(len(there.files[name]))}
    with pytest.raises(PullRefused, match=rf"{name} of org/tiny came damaged"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    there.lies = {}
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert (pulled.path / name).read_bytes() == there.files[name]


def test_a_part_that_is_not_the_beginning_is_noticed(shelf, there):
    part = shelf.sources / HOME / f"{COMMIT}.part"
    part.mkdir(parents=True)
    (part / "model.safetensors.part").write_bytes(b"x" * 1000)
    with pytest.raises(PullRefused, match="came damaged"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    (part / "model.safetensors.part").write_bytes(b"x" * 10**6)  # longer than the file
    assert pull("org/tiny", shelf=shelf, endpoint=there.url).path.is_dir()


def test_a_file_that_was_finished_and_then_changed_is_fetched_anew(shelf, there):
    part = shelf.sources / HOME / f"{COMMIT}.part"
    part.mkdir(parents=True)
    (part / "config.json").write_bytes(b"x" * len(there.files["config.json"]))
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert (pulled.path / "config.json").read_bytes() == there.files["config.json"]


def test_pickles_alone_are_refused_by_name_before_anything_is_fetched(shelf, there):
    del there.files["model.safetensors"], there.files["consolidated.safetensors"]
    del there.files["original/model.safetensors"]
    with pytest.raises(PullRefused, match=r"only pickles \(pytorch_model\.bin\), which run as programs"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    del there.files["pytorch_model.bin"]
    with pytest.raises(PullRefused, match=r"no weights in safetensors\. Nothing was fetched"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert there.sent == {}
    assert not shelf.root.exists()


def test_an_index_tells_which_weights_are_the_model(shelf, there):
    there.files["model-00001-of-00001.safetensors"] = there.files.pop("model.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    there.files["model.safetensors.index.json"] = json.dumps(index).encode()
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert sorted(path.name for path in pulled.path.glob("*.safetensors")) == [
        "model-00001-of-00001.safetensors"
    ]


def test_weights_under_another_name_are_all_fetched(shelf, there):
    there.files["adapter.safetensors"] = there.files.pop("model.safetensors")
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert {path.name for path in pulled.path.glob("*.safetensors")} == {
        "adapter.safetensors",
        "consolidated.safetensors",
    }


@pytest.mark.parametrize(
    "name", ["../../outside.json", "/etc/x.json", "a/../../x.json", "a\\..\\x.json", "a\x00.json"]
)
def test_a_repository_with_names_that_lead_out_is_not_fetched(shelf, there, tmp_path, name):
    there.files[name] = b"{}"
    with pytest.raises(PullRefused, match="such a repository is not fetched"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert there.sent == {}
    assert all_paths(tmp_path) == set()


def test_a_hub_that_sends_what_must_not_be_opened_leaves_nothing(shelf, there):
    there.files["model.safetensors"] = b"\xff" * 1000
    with pytest.raises(UnsafeFolder, match=r"model\.safetensors"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert all_paths(shelf.sources / HOME) == {".held"}


def test_the_token_goes_to_the_hub_and_nowhere_else(shelf, there, tmp_path):
    with serving(Hub(there.files)) as elsewhere:
        there.token, there.elsewhere = "secret", elsewhere.url.replace("127.0.0.1", "localhost")
        pull("org/tiny", shelf=shelf, token="secret", endpoint=there.url)
        assert {token for _, token in there.tokens} == {"Bearer secret"}
        assert elsewhere.tokens == [("/elsewhere/model.safetensors", "")]
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_hub_is_asked_for_the_model_and_nothing_else(shelf, there, monkeypatch):
    from huggingface_hub import constants
    from huggingface_hub.utils import _detect_agent

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr(_detect_agent, "_registry", None)
    monkeypatch.setattr(_detect_agent, "_load_registry", lambda: pytest.fail("the client asked for more"))
    pull("org/tiny", shelf=shelf, endpoint=there.url)


def test_without_a_token_none_is_sent_whatever_the_machine_remembers(shelf, there, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "of the machine")
    pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert {token for _, token in there.tokens} == {""}


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (401, "GatedRepo", "org/tiny is gated: accept its terms at .*/org/tiny .* HF_TOKEN"),
        (403, "GatedRepo", "org/tiny is gated"),
        (401, "RepoNotFound", "There is no model org/tiny at .*, or it is private"),
        (404, "RepoNotFound", "There is no model org/tiny at .*, or it is private"),
        (404, "RevisionNotFound", "has no revision 'v1': say a branch"),
        (401, "", "There is no model org/tiny at .*, or it is private"),
        (403, "", r"refuses the token \(403\)"),
        (429, "", r"too often \(429\)"),
        (500, "", r"answers with an error \(500\)"),
    ],
)
def test_every_refusal_of_a_hub_is_a_sentence_that_says_what_to_do(shelf, there, status, code, sentence):
    there.status, there.code = status, code
    with pytest.raises(PullRefused, match=sentence):
        pull("org/tiny", shelf=shelf, revision="v1", endpoint=there.url)
    assert not shelf.root.exists()


def test_a_token_that_is_refused_is_told_from_a_model_that_is_hidden(shelf, there):
    there.status = 401
    with pytest.raises(PullRefused, match=r"refuses the token \(401\)"):
        pull("org/tiny", shelf=shelf, token="wrong", endpoint=there.url)
    with pytest.raises(PullRefused, match="or it is private"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)


def test_offline_says_what_to_do_without_a_hub(shelf):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(PullRefused, match=r"cannot be reached .*`frontdesk models convert`"):
            pull("org/tiny", shelf=shelf, endpoint=f"http://127.0.0.1:{nobody.getsockname()[1]}")


@pytest.mark.parametrize(
    "name",
    ["gpt2", "a/b/c", "../x", "org/..", "org/", "/x", "org/a b", "https://x/y", "a..b/c", "a--b/c", ""],
)
def test_what_is_no_model_of_a_hub_is_refused_unasked(shelf, there, name):
    with pytest.raises(PullRefused, match="say ORG/NAME"):
        pull(name, shelf=shelf, endpoint=there.url)
    assert there.tokens == []


def test_a_disk_without_room_is_told_before_the_download(shelf, there, monkeypatch):
    usage = namedtuple("usage", "total used free")
    free = hub._LEFT_FREE + 100_000  # enough for the small files
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: usage(10**9, 0, free))
    with pytest.raises(PullRefused, match=r"org/tiny needs 0\.0 GB, and .* free\. Make room"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert "model.safetensors" not in there.sent
    part = shelf.sources / HOME / f"{COMMIT}.part"
    (part / "model.safetensors.part").write_bytes(there.files["model.safetensors"][:250_000])
    assert pull("org/tiny", shelf=shelf, endpoint=there.url).path.is_dir()  # the rest fits


def test_two_pulls_of_one_model_do_not_write_into_each_other(shelf, there):
    (shelf.sources / HOME).mkdir(parents=True)
    held = durable.hold(shelf.sources / HOME / ".held")
    with pytest.raises(PullRefused, match="is being pulled already"):
        pull("org/tiny", shelf=shelf, endpoint=there.url)
    durable.os.close(held)
    assert pull("org/tiny", shelf=shelf, endpoint=there.url).path.is_dir()


def test_a_source_is_collected_only_when_that_is_asked_for(shelf, there):
    pulled = pull("org/tiny", shelf=shelf, endpoint=there.url)
    assert shelf.collect().paths == ()
    assert shelf.collect(sources=True).paths == (f".sources/{HOME}",)
    assert not pulled.path.exists()
    assert shutil.disk_usage(shelf.root).free > len(weights(0))
