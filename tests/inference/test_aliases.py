"""An alias points to a complete, verified model at every instant, and one command goes back."""

import json

import pytest

from inference.library import Library, durable, lineup
from inference.library.aliases import Alias, Aliases, AliasesBroken, Lineup, NothingBefore, NotPromoted
from inference.library.reference import ModelDamaged, ModelNotFound, UnsafeFolder
from inference.library.shelf import Shelf
from tests.inference.shelved import path_of, put


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "models")


@pytest.fixture
def aliases(shelf):
    return Aliases(shelf.root)


def names(shelf, folder, *sources):
    return [str(put(shelf, folder, source=source).reference) for source in sources]


def test_before_anything_was_promoted_the_starter_serves(shelf, aliases):
    assert aliases.read() == Lineup()
    assert aliases.stamp() == ()
    library = Library(root=shelf.root)
    assert library.find("default").name == "starter"
    with pytest.raises(ModelNotFound, match="There is no canary"):
        library.find("canary")
    assert Library(root=None).find("default").name == "starter"


def test_promoting_moves_the_default_and_remembers_what_it_was(shelf, aliases, folder):
    first, second = names(shelf, folder, "1", "2")
    assert aliases.promote(first) == Alias(first, previous=("starter",))
    assert aliases.promote(second) == Alias(second, previous=(first, "starter"))
    assert aliases.read().default == Alias(second, previous=(first, "starter"))
    assert Library(root=shelf.root).find("default").name == second


def test_a_name_is_promoted_as_the_one_variant_that_it_means_now(shelf, aliases, folder):
    (first,) = names(shelf, folder, "1")
    assert aliases.promote("desk").target == first
    names(shelf, folder, "2")
    assert Library(root=shelf.root).find("default").name == first


def test_promoting_what_serves_already_changes_nothing(shelf, aliases, folder):
    names(shelf, folder, "1")
    aliases.promote("desk")
    before, stamp = aliases.read(), aliases.stamp()
    aliases.promote("desk")
    assert (aliases.read(), aliases.stamp()) == (before, stamp)


def test_the_stamp_changes_with_each_change(shelf, aliases, folder):
    first, second = names(shelf, folder, "1", "2")
    stamps = [aliases.stamp()]
    for change in (
        lambda: aliases.promote(first),
        lambda: aliases.promote(second),
        lambda: aliases.promote(first, "canary", share=0.1),
        lambda: aliases.promote(first, "canary", share=0.2),
        aliases.rollback,
    ):
        change()
        stamps.append(aliases.stamp())
    assert len(set(stamps)) == len(stamps)


def test_a_canary_has_a_share_and_ends_when_it_is_promoted(shelf, aliases, folder):
    first, second = names(shelf, folder, "1", "2")
    aliases.promote(first)
    assert aliases.promote(second, "canary", share=0.25) == Alias(second, share=0.25)
    assert aliases.read() == Lineup(Alias(first, previous=("starter",)), Alias(second, share=0.25))
    assert Library(root=shelf.root).find("canary").name == second
    assert aliases.promote("canary").target == second
    assert aliases.read() == Lineup(Alias(second, previous=(first, "starter")))


def test_another_default_leaves_the_canary(shelf, aliases, folder):
    first, second = names(shelf, folder, "1", "2")
    aliases.promote(second, "canary", share=0.25)
    aliases.promote(first)
    assert aliases.read().canary == Alias(second, share=0.25)
    aliases.promote(second, "canary")  # its share stays
    assert aliases.read().canary == Alias(second, share=0.25)


def test_a_canary_is_ended_by_one_command(shelf, aliases, folder):
    first, second = names(shelf, folder, "1", "2")
    aliases.promote(first)
    aliases.promote(second, "canary", share=0.25)
    assert aliases.rollback("canary") is None
    assert aliases.read() == Lineup(Alias(first, previous=("starter",)))
    with pytest.raises(NothingBefore, match="no canary to end"):
        aliases.rollback("canary")


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), float("inf"), None, True])
def test_a_share_of_nothing_or_everything_is_refused(shelf, aliases, folder, share):
    names(shelf, folder, "1")
    with pytest.raises(NotPromoted, match="share lies between 0 and 1"):
        aliases.promote("desk", "canary", share=share)
    assert aliases.read() == Lineup()


def test_the_default_is_no_canary_and_has_no_share(shelf, aliases, folder):
    names(shelf, folder, "1")
    aliases.promote("desk")
    with pytest.raises(NotPromoted, match="is the default already"):
        aliases.promote("desk", "canary", share=0.5)
    with pytest.raises(NotPromoted, match="Only a canary has a share"):
        aliases.promote("desk", share=0.5)
    with pytest.raises(NotPromoted, match="There is no alias 'fast'"):
        aliases.promote("desk", "fast")


def test_rolling_back_goes_one_step_at_a_time_and_says_when_there_is_none(shelf, aliases, folder):
    first, second = names(shelf, folder, "1", "2")
    with pytest.raises(NothingBefore, match="nothing to go back to"):
        aliases.rollback()
    aliases.promote(first)
    aliases.promote(second)
    assert aliases.rollback() == Alias(first, previous=("starter",))
    assert aliases.rollback() == Alias("starter")
    with pytest.raises(NothingBefore, match="nothing to go back to"):
        aliases.rollback()
    assert aliases.read() == Lineup(Alias("starter"))


def test_rolling_back_to_the_canary_ends_it(shelf, aliases, folder):
    first, second = names(shelf, folder, "1", "2")
    aliases.promote(first)
    aliases.promote(second)
    aliases.promote(first, "canary", share=0.5)
    aliases.rollback()
    assert aliases.read() == Lineup(Alias(first, previous=("starter",)))


def test_rolling_back_passes_over_what_is_not_complete_any_more(shelf, aliases, folder):
    first, second, third = (put(shelf, folder, source=source) for source in "123")
    for made in (first, second, third):
        aliases.promote(str(made.reference))
    (path_of(shelf, second) / "model.bin").unlink()
    assert aliases.rollback() == Alias(str(first.reference), previous=("starter",))


def test_rolling_back_to_nothing_complete_changes_nothing(shelf, aliases, folder):
    (first,) = names(shelf, folder, "1")
    text = json.dumps({"format": 1, "aliases": {"default": {"target": first, "previous": ["gone"]}}})
    (shelf.root / "aliases.json").write_text(text)
    with pytest.raises(NothingBefore, match="gone is no longer complete"):
        aliases.rollback()
    assert (shelf.root / "aliases.json").read_text() == text


def test_history_is_bounded_and_the_oldest_go(shelf, aliases, folder):
    made = names(shelf, folder, *map(str, range(lineup.STEPS + 3)))
    for name in made:
        aliases.promote(name)
    assert aliases.read().default.previous == tuple(reversed(made[2:-1]))


def test_what_is_damaged_is_not_promoted_and_the_alias_stays(shelf, aliases, folder):
    good, bad = put(shelf, folder, source="1"), put(shelf, folder, source="2")
    aliases.promote(str(good.reference))
    before = aliases.read()
    path = path_of(shelf, bad) / "vocabulary.json"
    path.write_text(path.read_text().replace("the", "teh"))  # the size stays: only the digest knows
    Library(root=shelf.root).find(str(bad.reference))
    with pytest.raises(ModelDamaged, match=r"changed: vocabulary\.json"):
        aliases.promote(str(bad.reference))
    with pytest.raises(ModelDamaged):
        aliases.promote(str(bad.reference), "canary", share=0.1)
    assert aliases.read() == before


def test_what_is_unsafe_is_not_promoted(shelf, aliases, folder, tmp_path):
    shelf.root.mkdir()
    plain = shelf.root / "plain"
    plain.mkdir()
    for file in folder.iterdir():
        (plain / file.name).write_bytes(file.read_bytes())
    assert aliases.promote("plain").target == "plain"
    aliases.rollback()
    (plain / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:-100])
    with pytest.raises(UnsafeFolder, match="ends too early"):
        aliases.promote("plain")
    assert aliases.read().default.target == "starter"


@pytest.mark.parametrize(
    "text", ["./desk", "/tmp", "~/x", "nobody", "desk:awq", "desk@00000000", "a b", ".."]
)
def test_what_is_no_model_of_the_library_is_not_promoted(shelf, aliases, folder, text):
    names(shelf, folder, "1")
    with pytest.raises((ModelNotFound, NotPromoted)):
        aliases.promote(text)
    assert aliases.read() == Lineup()


@pytest.mark.parametrize("kind", ["classifier", "embedder", "seq2seq", "chat"])
def test_what_cannot_hold_a_conversation_is_not_promoted(shelf, aliases, folder, tmp_path, kind):
    source = tmp_path / "without"
    source.mkdir()
    for file in folder.iterdir():
        if file.name != "chat_template.jinja":
            (source / file.name).write_bytes(file.read_bytes())
    with (source / "head.npz").open("wb") as file:
        import numpy as np

        np.savez(file, weight=np.zeros(2, np.float32))
    (source / "shared_vocabulary.json").write_text("[]")
    put(shelf, source, kind=kind, has_chat_template=False)
    assert Library(root=shelf.root).find("desk").kind == kind
    with pytest.raises(NotPromoted, match="has no chat template"):
        aliases.promote("desk")


def test_what_is_replaced_while_it_is_verified_is_not_promoted(shelf, aliases, folder, monkeypatch):
    put(shelf, folder, weight=b"old")
    servable = aliases._servable

    def replaced_meanwhile(reference):
        model = servable(reference)
        put(shelf, folder, weight=b"new")
        return model

    monkeypatch.setattr(aliases, "_servable", replaced_meanwhile)
    with pytest.raises(NotPromoted, match="was replaced while it was verified"):
        aliases.promote("desk")
    monkeypatch.setattr(
        aliases, "_servable", lambda reference: (servable(reference), shelf.remove("desk"))[0]
    )
    with pytest.raises(ModelNotFound):
        aliases.promote("desk")
    assert aliases.read() == Lineup()


def test_a_reader_sees_the_old_lineup_or_the_new_one(shelf, aliases, folder, monkeypatch):
    (first,) = names(shelf, folder, "1")
    aliases.promote(first)
    before, seen = aliases.read(), []
    replace = durable.Path.replace

    def looked_at(self, target):
        seen.append(aliases.read())
        return replace(self, target)

    monkeypatch.setattr(durable.Path, "replace", looked_at)
    aliases.rollback()
    assert (seen, aliases.read()) == ([before], Lineup(Alias("starter")))


def broken(**default):
    return json.dumps({"format": 1, "aliases": {"default": {"target": "starter", "previous": [], **default}}})


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "5", "null", "\xff", "[" * 100_000, " " * (2**20 + 1)),
        *('{"format": 2, "aliases": {}}', '{"format": 1}', '{"format": 1, "aliases": []}'),
        '{"format": 1, "aliases": {"../x": {"target": "starter", "previous": []}}}',
        '{"format": 1, "aliases": {"default": "starter"}}',
        '{"format": 1, "aliases": {"default": {}}}',
        *(
            broken(target=target)
            for target in ("../x", "/etc", "default", "canary", "a:int8", "a@01234567", "", 5)
        ),
        *(broken(previous=previous) for previous in ("starter", [5], ["../x"], {})),
        broken(share=0.1),
        *(
            json.dumps(
                {"format": 1, "aliases": {"canary": {"target": "starter", "previous": [], "share": None}}}
            ).replace('"share": null', f'"share": {share}')
            for share in ("0", "1", "null", '"0.1"', "true", "NaN", "[]")
        ),
    ],
)
def test_a_broken_file_is_one_kind_of_error_for_everybody(shelf, aliases, folder, text):
    names(shelf, folder, "1")
    (shelf.root / "aliases.json").write_text(text, encoding="latin-1")
    for ask in (
        aliases.read,
        aliases.rollback,
        lambda: aliases.promote("desk"),
        lambda: Library(root=shelf.root).find("default"),
    ):
        with pytest.raises(AliasesBroken, match=r"aliases\.json is broken.*promote the model"):
            ask()
    assert (shelf.root / "aliases.json").read_text(encoding="latin-1") == text
    assert aliases.stamp() != ()


def test_an_alias_to_what_is_gone_says_so(shelf, aliases, folder):
    made = put(shelf, folder)
    aliases.promote("desk")
    (path_of(shelf, made) / "manifest.json").unlink()
    with pytest.raises(ModelNotFound, match=r"has no manifest\.json"):
        Library(root=shelf.root).find("default")
    path_of(shelf, made).rename(shelf.root / "elsewhere")
    with pytest.raises(ModelNotFound, match="The alias default points to desk@"):
        Library(root=shelf.root).find("default")
