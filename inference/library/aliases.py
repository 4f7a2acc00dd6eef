"""Who serves is changed: promote, roll back, end the canary. Each one a single step that a kill cannot halve.

Knows the library and its aliases.json. Loading the new model and draining the old one is the worker's work, which
looks at `stamp` now and then.
"""

from dataclasses import replace
from pathlib import Path

from inference.library import Library, ModelFolder, inspection, lineup
from inference.library.durable import ChangeRefused, locked, write
from inference.library.lineup import STEPS, Alias, Lineup
from inference.library.reference import (
    ALIASES,
    CANARY,
    DEFAULT,
    OF_CLASSIFIERS,
    STARTER,
    AliasesBroken,
    ModelNotFound,
    is_path,
)

__all__ = ["CANARY", "DEFAULT", "Alias", "Aliases", "AliasesBroken", "Lineup", "NotPromoted", "NothingBefore"]


class NotPromoted(ChangeRefused):
    """This model cannot be put in service; the message says why."""


class NothingBefore(ChangeRefused):
    """There is nothing to go back to."""


class Aliases:
    """The aliases of one library. Any process may read them while another one changes them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._library = Library(root=root)

    def read(self) -> Lineup:
        """Raises AliasesBroken; a file that is not there is a lineup of nobody."""
        return lineup.read(self._root)

    def stamp(self) -> tuple[int, ...]:
        """Another value whenever the aliases were changed: cheap enough to ask each second. Take it before `read`."""
        return lineup.stamp(self._root)

    def promote(self, reference: str, alias: str = DEFAULT, share: float | None = None) -> Alias:
        """Point an alias to a model, once every file of it was compared with its manifest. `share` is the canary's.
        Raises ModelNotFound, ModelIncomplete and NotPromoted; the alias stays where it was then."""
        if alias not in ALIASES:
            raise NotPromoted(f"There is no alias {alias[:40]!r}: there are {' and '.join(ALIASES)}.")
        if alias != CANARY and share is not None:
            raise NotPromoted("Only a canary has a share: the default gets what is left.")
        if share is not None:
            _checked(share)
        model = self._servable(reference)
        _refuse_unfit(model, alias)
        with locked(self._root):
            now = self._library.find(model.name)  # still there, and nothing can be removed any more
            if now.manifest and model.manifest and now.manifest.files != model.manifest.files:
                raise NotPromoted(f"{model.name} was replaced while it was verified. Promote it again.")
            before = self.read()
            if alias == CANARY:
                after = _with_canary(before, model.name, share)
            elif alias in OF_CLASSIFIERS:
                after = _with_classifier(before, alias, model.name)
            else:
                after = _with_default(before, model.name)
            self._write(before, after)
        return after.get(alias) or Alias(model.name)

    def rollback(self, alias: str = DEFAULT) -> Alias | None:
        """One step back. An alias gets the model before it that is still complete; a canary ends (None), and so does a
        classifier that had none before it. Raises NothingBefore."""
        with locked(self._root):
            before = self.read()
            after = replace(before, canary=None) if alias == CANARY else self._one_back(before, alias)
            if after == before:
                raise NothingBefore(f"There is no {alias} to end.")
            self._write(before, after)
        return after.get(alias)

    def _servable(self, reference: str) -> ModelFolder:
        if is_path(reference):
            raise NotPromoted(
                f"{reference} is a path, and an alias points to a model of the library by its name."
            )
        model = self._library.find(reference)
        inspection.inspect_model(model.path)
        if model.manifest is not None:
            model.manifest.verify(model.path)
        return model

    def _one_back(self, before: Lineup, alias: str) -> Lineup:
        present = before.get(alias)
        if alias in OF_CLASSIFIERS and (present is None or not present.previous):
            return replace(before, **{alias: None})  # the bundled one judges again, or nobody
        if present is None or not present.previous:
            raise NothingBefore(
                "There is nothing to go back to: no model was promoted before the present one."
            )
        gone = []
        for at, target in enumerate(present.previous, start=1):
            try:
                self._library.find(target)
            except ModelNotFound:
                gone.append(target)
                continue
            canary = None if before.canary and before.canary.target == target else before.canary
            back = Alias(target, previous=present.previous[at:])
            return replace(before, canary=canary, **{alias: back})
        raise NothingBefore(f"There is nothing to go back to: {', '.join(gone)} is no longer complete.")

    def _write(self, before: Lineup, after: Lineup) -> None:
        if after != before:
            write(self._root / lineup.FILE, after.to_json())


def _refuse_unfit(model: ModelFolder, alias: str) -> None:
    if alias in OF_CLASSIFIERS:
        if model.kind != "classifier":
            raise NotPromoted(f"{model.name} is no classifier: it is a model of the kind {model.kind}.")
    elif not model.has_chat_template:
        raise NotPromoted(
            f"{model.name} has no chat template, so it cannot hold a conversation"
            f"{'' if model.kind == 'chat' else f': it is a model of the kind {model.kind}'}."
        )


def _with_default(before: Lineup, target: str) -> Lineup:
    """The canary that is promoted is a canary no more."""
    canary = None if before.canary and before.canary.target == target else before.canary
    old = before.default or Alias(STARTER)
    if old.target == target:
        return replace(before, canary=canary)
    return replace(before, default=_after(old, target), canary=canary)


def _with_classifier(before: Lineup, alias: str, target: str) -> Lineup:
    old = before.get(alias)
    if old is not None and old.target == target:
        return before
    return replace(before, **{alias: Alias(target) if old is None else _after(old, target)})


def _after(old: Alias, target: str) -> Alias:
    return Alias(target, previous=(old.target, *old.previous)[:STEPS])


def _with_canary(before: Lineup, target: str, share: float | None) -> Lineup:
    if share is None and before.canary is not None:
        share = before.canary.share
    if target == (before.default.target if before.default else STARTER):
        raise NotPromoted(f"{target} is the default already: it gets every conversation.")
    return replace(before, canary=Alias(target, share=_checked(share)))


def _checked(share: float | None) -> float:
    try:
        return lineup.checked_share(share)
    except ValueError as error:
        raise NotPromoted(f"{str(error).capitalize()}.") from error
