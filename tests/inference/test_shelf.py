"""What has a name in the library is complete; what was left half done has none and is swept up."""

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from inference.library import Library, durable, manifest
from inference.library import shelf as shelves
from inference.library.aliases import Aliases
from inference.library.audit import audit
from inference.library.durable import NotWritable
from inference.library.reference import ModelDamaged, ModelNotFound, UnsafeFolder
from inference.library.shelf import InUse, NotInstalled, Shelf
from tests.inference.shelved import all_paths, described, path_of, put


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "models")


def whole(shelf):
    findings = list(audit(shelf.root))
    return all(finding.state != "damaged" for finding in findings)


def test_an_installed_variant_is_found_under_its_name_and_verified(shelf, folder):
    made = put(shelf, folder)
    found = Library(root=shelf.root).find("desk")
    assert (found.name, found.path) == (str(made.reference), path_of(shelf, made))
    assert (found.manifest, found.version, found.variant) == (made, made.version, "int8")
    assert manifest.verify(found.path) == made
    assert all_paths(shelf.root / ".staging") == set()


def test_staging_leaves_nothing_whatever_happens_in_it(shelf):
    def fail():
        with shelf.staging() as staged:
            (staged / "half").write_text("x")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert all_paths(shelf.root) == {".staging"}


def test_what_is_not_what_its_manifest_says_is_not_installed(shelf, folder):
    with shelf.staging() as staged:
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        made = described(staged)
        (staged / "config.json").write_text("{ }")
        with pytest.raises(ModelDamaged, match=r"changed: config\.json"):
            shelf.install(staged, made)
    assert Library(root=shelf.root).list() == Library(root=None).list()


@pytest.mark.parametrize("name", ["../../outside", "/tmp/x", ".hidden", "a/b", ""])
def test_a_manifest_cannot_send_its_folder_elsewhere(shelf, folder, tmp_path, name):
    before = all_paths(tmp_path)
    with shelf.staging() as staged:
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        with pytest.raises(ModelDamaged, match="name is wrong"):
            shelf.install(staged, described(staged, name=name))
        with pytest.raises(ModelDamaged, match="version is wrong"):
            shelf.install(staged, described(staged, version="../../.."))
    assert all_paths(tmp_path) - before == {"models", "models/.staging", "models/.lock"}


def test_a_staged_folder_is_inspected(shelf, folder):
    with shelf.staging() as staged:
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        (staged / "weights.pt").write_bytes(b"x")
        with pytest.raises(UnsafeFolder, match="pickle"):
            shelf.install(staged, described(staged))


@pytest.mark.parametrize("name", ["default", "canary", "starter"])
def test_names_that_mean_something_else_are_taken(shelf, folder, name):
    with pytest.raises(NotInstalled, match="that name is taken"):
        put(shelf, folder, name=name)


def test_a_plain_folder_keeps_its_name(shelf, folder, tmp_path):
    shutil.copytree(folder, shelf.root / "mine")
    with pytest.raises(NotInstalled, match="plain folder"):
        put(shelf, folder, name="mine")
    (tmp_path / "elsewhere").mkdir()
    (shelf.root / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotInstalled, match="plain folder"):
        put(shelf, folder, name="linked")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_same_files_again_change_nothing(shelf, folder):
    made = put(shelf, folder)
    shelf.annotate(str(made.reference), speed={"summary": "fast"})
    inode = path_of(shelf, made).stat().st_ino
    put(shelf, folder)
    assert path_of(shelf, made).stat().st_ino == inode
    assert Library(root=shelf.root).find("desk").manifest.speed == {"summary": "fast"}


def test_the_same_files_again_heal_what_was_damaged_even_where_it_serves(shelf, folder):
    made = put(shelf, folder)
    Aliases(shelf.root).promote("desk")
    (path_of(shelf, made) / "vocabulary.json").write_text("[]")
    assert not whole(shelf)
    put(shelf, folder)
    assert whole(shelf)
    (path_of(shelf, made) / "manifest.json").write_text("{")
    put(shelf, folder)
    assert whole(shelf)


@pytest.mark.parametrize("at_once", [True, False])
def test_other_files_under_the_same_name_take_its_place(shelf, folder, monkeypatch, at_once):
    if not at_once:
        monkeypatch.setattr(durable, "_exchanged_at_once", lambda *_: False)
    made = put(shelf, folder, weight=b"old")
    put(shelf, folder, weight=b"new")
    assert (path_of(shelf, made) / "notes.txt").read_bytes() == b"new"
    assert whole(shelf)
    assert all_paths(shelf.root / ".staging") == set()


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_two_folders_change_places_at_one_instant(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert durable._exchanged_at_once(tmp_path / "a", tmp_path / "b")
    assert all_paths(tmp_path) == {"a", "b", "a/b", "b/a"}
    with pytest.raises(FileNotFoundError):
        durable.exchange(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize("alias", ["default", "canary"])
def test_what_serves_is_never_replaced_by_something_else(shelf, folder, alias):
    made = put(shelf, folder, weight=b"old")
    Aliases(shelf.root).promote("desk", alias, share=None if alias == "default" else 0.1)
    with pytest.raises(InUse, match=f"{alias} points to it"):
        put(shelf, folder, weight=b"new")
    assert (path_of(shelf, made) / "notes.txt").read_bytes() == b"old"
    put(shelf, folder, weight=b"old")  # the same is fine
    assert whole(shelf)


def test_removing_takes_exactly_what_was_said(shelf, folder):
    one, two = put(shelf, folder), put(shelf, folder, variant="float32")
    three = put(shelf, folder, source="another")
    put(shelf, folder, name="other")
    with pytest.raises(ModelNotFound, match="several versions: say which"):
        shelf.remove("desk:int8")
    assert shelf.remove("desk:float32") == (str(two.reference),)
    assert shelf.remove(f"desk@{three.version}") == (str(three.reference),)
    assert [model.name for model in Library(root=shelf.root).variants("desk")] == [str(one.reference)]
    assert shelf.remove("desk") == (str(one.reference),)
    assert all_paths(shelf.root) & {"desk", "other"} == {"other"}
    with pytest.raises(ModelNotFound, match="no model named 'desk'"):
        shelf.remove("desk")


def test_a_plain_folder_is_removed_and_a_linked_one_only_let_go(shelf, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    shutil.copytree(folder, shelf.root / "mine")
    (shelf.root / "linked").symlink_to(tmp_path / "elsewhere")
    assert (shelf.remove("mine"), shelf.remove("linked")) == (("mine",), ("linked",))
    assert all_paths(shelf.root) == {".staging"}
    assert (tmp_path / "elsewhere" / "model.bin").exists()


@pytest.mark.parametrize(
    "text", ["../outside", "/tmp", ".staging", "default", "canary", "a b", "desk@xyz", "nobody"]
)
def test_what_is_no_models_name_is_not_removed(shelf, folder, tmp_path, text):
    put(shelf, folder)
    (tmp_path / "outside").mkdir()
    with pytest.raises(ModelNotFound):
        shelf.remove(text)
    assert (tmp_path / "outside").exists()


def test_the_starter_stays(shelf):
    with pytest.raises(InUse, match="starter"):
        shelf.remove("starter")


def test_what_serves_or_served_before_is_not_removed(shelf, folder):
    aliases = Aliases(shelf.root)
    first, second, third = (put(shelf, folder, source=source) for source in "123")
    for made in (first, second, third):
        aliases.promote(str(made.reference))
    tried = put(shelf, folder, name="tried")
    aliases.promote("tried", "canary", share=0.5)
    with pytest.raises(InUse, match="is the default: it serves"):
        shelf.remove(str(third.reference), force=True)
    with pytest.raises(InUse, match=r"is the canary: it serves.*rollback --canary"):
        shelf.remove("tried", force=True)
    with pytest.raises(InUse, match="`rollback` would go back to"):
        shelf.remove(str(second.reference))
    with pytest.raises(InUse):
        shelf.remove("desk", force=True)  # all or nothing
    assert len(Library(root=shelf.root).variants("desk")) == 3
    shelf.remove(str(first.reference))  # two steps back: its name leaves the history
    assert aliases.read().default.previous == (str(second.reference), "starter")
    shelf.remove(str(second.reference), force=True)
    assert aliases.read().default.previous == ("starter",)
    assert aliases.read().canary.target == str(tried.reference)


def test_what_was_measured_joins_the_manifest_and_nothing_else_changes(shelf, folder):
    made = put(shelf, folder)
    changed = shelf.annotate("desk:int8", speed={"tokens": 5.0})
    assert changed == replace(made, speed={"tokens": 5.0})
    assert manifest.verify(path_of(shelf, made)) == changed
    for reference in ("starter", str(path_of(shelf, made))):
        with pytest.raises(ModelNotFound, match="only what was converted here"):
            shelf.annotate(reference, speed={})


def test_an_annotation_that_is_killed_leaves_the_variant_whole(shelf, folder, monkeypatch):
    """The temporary file lies outside the variant, which would else have a file too many."""
    made = put(shelf, folder)
    seen = []

    def killed(self, target):
        seen.append(self)
        assert manifest.verify(path_of(shelf, made)) == made
        raise KeyboardInterrupt

    monkeypatch.setattr(shelves.Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        shelf.annotate("desk", speed={"tokens": 5.0})
    assert [path.parent for path in seen] == [shelf.root]


def test_collecting_takes_what_nobody_holds_and_nothing_else(shelf, folder):
    made = put(shelf, folder)
    (shelf.root / ".staging" / "dead" / "made").mkdir(parents=True)
    (shelf.root / ".staging" / "dead" / "made" / "model.bin").write_bytes(b"x" * 1000)
    (shelf.root / ".staging" / "stray").write_bytes(b"x")
    (shelf.root / ".aliases.json.abcd.tmp").write_bytes(b"x" * 10)
    (shelf.root / ".manifest.json.abcd.tmp").write_bytes(b"x" * 10)
    (shelf.root / "empty" / "01234567").mkdir(parents=True)
    (shelf.root / "unfinished").mkdir()
    (shelf.root / "unfinished" / "notes.txt").write_text("a person's")
    with shelf.staging() as staged:
        swept = shelf.collect()
        assert staged.is_dir()
    assert set(swept.paths) == {
        ".staging/dead",
        ".staging/stray",
        ".aliases.json.abcd.tmp",
        ".manifest.json.abcd.tmp",
    }
    assert swept.size == 1021
    assert {path.name for path in shelf.root.iterdir()} == {".lock", ".staging", "desk", "unfinished"}
    assert path_of(shelf, made).is_dir()
    assert shelf.collect().paths == ()


def test_collecting_never_follows_a_link(shelf, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    (shelf.root / ".staging").mkdir(parents=True)
    (shelf.root / ".staging" / "link").symlink_to(tmp_path / "elsewhere")
    assert shelf.collect().paths == (".staging/link",)
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_sources_are_kept_until_asked_for_and_while_they_are_fetched(shelf):
    for name in ("a--b", "c--d"):
        (shelf.sources / name / ("0" * 40)).mkdir(parents=True)
    assert shelf.collect().paths == ()
    held = durable.hold(shelf.sources / "c--d" / ".held")
    assert shelf.collect(sources=True).paths == (".sources/a--b",)
    os.close(held)
    assert shelf.collect(sources=True).paths == (".sources/c--d",)


def test_a_library_that_is_not_there_has_nothing_to_collect(tmp_path):
    shelf = Shelf(tmp_path / "nowhere" / "models")
    assert shelf.collect() == shelves.Swept((), 0)
    assert (shelf.disk_use().models, shelf.disk_use().free > 0) == (0, True)
    assert not (tmp_path / "nowhere").exists()


def test_disk_use_tells_models_sources_and_unfinished_work(shelf, folder):
    made = put(shelf, folder)
    shelf.sources.mkdir()
    (shelf.sources / "x").write_bytes(b"x" * 7)
    with shelf.staging() as staged:
        (staged / "y").write_bytes(b"y" * 11)
        use = shelf.disk_use()
    of_manifest = (path_of(shelf, made) / "manifest.json").stat().st_size
    assert (use.models, use.sources, use.staging) == (made.size + of_manifest, 7, 11)


def test_a_killed_process_lets_go_of_its_staging(shelf):
    script = (
        "import sys, pathlib, inference.library.shelf\n"
        f"with inference.library.shelf.Shelf(pathlib.Path({str(shelf.root)!r})).staging() as staged:\n"
        "    (staged / 'x').touch(); print('there', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"there\n"
        assert shelf.collect().paths == ()
    finally:
        child.kill()
        child.communicate()
    assert len(shelf.collect().paths) == 1


def test_many_may_install_and_collect_at_once(shelf, folder):
    errors = []

    def install(number):
        try:
            for variant in ("int8", "float32"):
                put(shelf, folder, variant=variant, source=f"source {number % 2}")
                shelf.collect()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=install, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(Library(root=shelf.root).variants("desk")) == 4
    assert whole(shelf)


def test_a_library_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(NotWritable, match="cannot be written"), Shelf(tmp_path / "models").staging():
        pass
