"""A source fetched from a hub: pinned to a commit, weights as safetensors only, whole and compared, or not there.

Knows huggingface_hub and the library's folder of sources. What becomes of a source, `convert` knows; the token is an
argument, and goes nowhere but to the hub.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from inference.library import durable, inspection
from inference.library.durable import ChangeRefused, locked
from inference.library.inspection import PICKLES
from inference.library.manifest import safe_name
from inference.library.reference import UnsafeFolder
from inference.library.shelf import HELD, PART, Shelf

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")

_WEIGHTS = ".safetensors"
_WANTED = (_WEIGHTS, ".json", ".model", ".txt", ".jinja")
_ABOUT = re.compile(r"(licen[cs]e|notice|readme|copying|use_policy)[\w.-]*", re.IGNORECASE)
_LAYER = re.compile(r"\d+_\w+")  # 1_Pooling: how sentence-transformers keeps a model's parts
_INDEX = "model.safetensors.index.json"

_UNFINISHED = ".part"
_PATIENCE = 30.0  # seconds for the hub to describe a repository
_LEFT_FREE = 256 * 2**20  # bytes of disk that a download leaves to everybody else


class PullRefused(ChangeRefused):
    """Nothing was added to the library; the message says why and what to do. What has come is kept for the next
    attempt."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A complete source. `revision` is the commit, `licence` what its card says."""

    id: str
    revision: str
    path: Path
    licence: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    """`sha256` of a large file, `blob` (git's digest) of a small one: the hub knows one of them."""

    name: str
    size: int
    sha256: str
    blob: str


def pull(
    model_id: str, *, shelf: Shelf, revision: str = "", token: str | None = None, endpoint: str | None = None
) -> Pulled:
    """Fetch ORG/NAME at a revision (a branch, a tag, a commit; "" for the newest) into the library's sources.

    A connection that was cut, or a process that was killed, goes on where it was. Raises PullRefused, UnsafeFolder.
    """
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_DISABLE_TELEMETRY = (
        True  # else the client asks the hub for a list, to tell it what runs it
    )
    if not _ID.fullmatch(model_id) or ".." in model_id or "--" in model_id:  # the latter stands for the slash
        raise PullRefused(f"{model_id[:100]!r} is no model of a hub: say ORG/NAME, or ORG/NAME@revision.")
    home = shelf.sources / model_id.replace("/", "--")
    if _COMMIT.fullmatch(revision) and (home / revision).is_dir():
        return Pulled(model_id, revision, home / revision)
    api = HfApi(endpoint=endpoint.rstrip("/") if endpoint else None, token=token or False)
    with _told(api, model_id, revision):
        info = api.model_info(model_id, revision=revision or None, files_metadata=True, timeout=_PATIENCE)
    commit, files = str(info.sha), _listed(model_id, info.siblings or [])
    if not _COMMIT.fullmatch(commit):
        raise PullRefused(f"{api.endpoint} names no commit for {model_id}: it cannot be pinned.")
    licence = str(getattr(info.card_data, "license", "") or "")
    with _held(shelf.root, home):
        if not (home / commit).is_dir():
            _fetch(api, model_id, commit, files, home)
    return Pulled(model_id, commit, home / commit, licence)


def origin(folder: Path) -> tuple[str, str]:
    """ORG/NAME and the commit of a folder that `pull` fetched; the folder's name and "" of any other."""
    folder = folder.resolve()
    if folder.parent.parent.name == Shelf(Path()).sources.name and _COMMIT.fullmatch(folder.name):
        return folder.parent.name.replace("--", "/", 1), folder.name
    return folder.name, ""


def _listed(model_id: str, siblings: Sequence[Any]) -> list[_File]:
    """What is fetched of a repository, the weights last. Raises PullRefused where it has none that may be read."""
    files = [
        _File(
            name=each.rfilename,
            size=each.lfs.size if each.lfs else each.size or 0,
            sha256=each.lfs.sha256 if each.lfs else "",
            blob=each.blob_id or "",
        )
        for each in siblings
    ]
    strange = [file.name for file in files if not safe_name(file.name)]
    if strange:
        raise PullRefused(
            f"{model_id} holds a file named {strange[0][:80]!r}: such a repository is not fetched."
        )
    wanted = [file for file in files if _is_wanted(file.name)]
    if not any(file.name.endswith(_WEIGHTS) for file in wanted):
        pickles = [file.name for file in files if file.name.lower().endswith(PICKLES)]
        others = f", only pickles ({', '.join(pickles[:3])}), which run as programs" if pickles else ""
        raise PullRefused(
            f"{model_id} has no weights in safetensors{others}. Nothing was fetched: look for a revision or another "
            "repository of that model that has them."
        )
    return sorted(wanted, key=lambda file: (file.name.endswith(_WEIGHTS), file.name))


def _is_wanted(name: str) -> bool:
    folder, _, base = name.rpartition("/")
    if folder and not _LAYER.fullmatch(folder):
        return False  # original/, onnx/ and the like: the same weights once more, in other forms
    return not base.startswith(".") and (base.endswith(_WANTED) or _ABOUT.fullmatch(base) is not None)


def _fetch(api: HfApi, model_id: str, commit: str, files: Sequence[_File], home: Path) -> None:
    """Into a folder beside the place, which gets the commit's name when it is complete."""
    part = home / f"{commit}{PART}"
    small = [file for file in files if not file.name.endswith(_WEIGHTS)]
    _room(model_id, part, small)
    with _told(api, model_id, commit):
        for file in small:
            _download(api, model_id, commit, file, part)
    weights = _of_model(part, [file for file in files if file.name.endswith(_WEIGHTS)])
    _room(model_id, part, weights)
    with _told(api, model_id, commit):
        for file in weights:
            _download(api, model_id, commit, file, part)
    try:
        inspection.inspect_source(part)
    except UnsafeFolder:
        shutil.rmtree(part)
        raise
    durable.sync_tree(part)
    durable.rename(part, home / commit)


def _of_model(part: Path, weights: Sequence[_File]) -> list[_File]:
    """Some repositories hold the weights twice. What the index names, else the one usual file, is the model."""
    at_top = {file.name for file in weights if "/" not in file.name}
    named = at_top
    if (part / _INDEX).is_file():
        with contextlib.suppress(ValueError, KeyError, AttributeError):
            named = {str(name) for name in json.loads((part / _INDEX).read_bytes())["weight_map"].values()}
    elif "model.safetensors" in at_top:
        named = {"model.safetensors"}
    return [file for file in weights if "/" in file.name or file.name in named]


def _download(api: HfApi, model_id: str, commit: str, file: _File, part: Path) -> None:
    """hf_hub_download begins a file anew in each process; its own http_get can go on where another one ended."""
    from huggingface_hub.file_download import http_get

    path = part / file.name
    if path.is_file() and _is_it(path, file):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + _UNFINISHED)
    with unfinished.open("ab") as out:
        if out.tell() > file.size:
            out.truncate(0)
        http_get(
            f"{api.endpoint}/{model_id}/resolve/{commit}/{quote(file.name)}",
            out,
            resume_size=out.seek(0, os.SEEK_END),
            headers={**_headers(api), "Accept-Encoding": "identity"},
            expected_size=file.size,
            displayed_filename=file.name,
        )
    if not _is_it(unfinished, file):
        unfinished.unlink()
        raise PullRefused(
            f"{file.name} of {model_id} came damaged. Pull again: only that file is fetched anew."
        )
    unfinished.replace(path)


def _headers(api: HfApi) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.token}"} if api.token else {}


def _is_it(path: Path, file: _File) -> bool:
    size = path.stat().st_size
    if size != file.size:
        return False
    with path.open("rb") as content:
        if file.sha256:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
        begun = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)  # git's own digest
        return not file.blob or hashlib.file_digest(content, lambda: begun).hexdigest() == file.blob


def _room(model_id: str, part: Path, files: Sequence[_File]) -> None:
    part.mkdir(parents=True, exist_ok=True)
    there = sum(path.stat().st_size for path in part.rglob(f"*{_UNFINISHED}"))
    needed = sum(file.size for file in files if not (part / file.name).is_file())
    free = shutil.disk_usage(part).free
    if needed - there + _LEFT_FREE > free:
        raise PullRefused(
            f"{model_id} needs {needed / 1e9:,.1f} GB, and {part.parent} has {free / 1e9:,.1f} GB free. Make room "
            "(`frontdesk models collect`, `frontdesk models remove NAME`) and pull again."
        )


@contextlib.contextmanager
def _held(root: Path, home: Path) -> Iterator[None]:
    """One process at a time for one model, and `collect` keeps away."""
    with locked(root):
        home.mkdir(parents=True, exist_ok=True)
        held = durable.hold(home / HELD)
    if held is None:
        raise PullRefused("This model is being pulled already. Wait for that, or stop it.")
    try:
        yield
    finally:
        os.close(held)


@contextlib.contextmanager
def _told(api: HfApi, model_id: str, revision: str) -> Iterator[None]:
    """Whatever a hub and its client answer, as a sentence that says what to do."""
    try:
        yield
    except ChangeRefused:
        raise
    except Exception as error:
        raise PullRefused(_sentence(error, api, model_id, revision)) from error


def _sentence(error: Exception, api: HfApi, model_id: str, revision: str) -> str:
    from huggingface_hub import errors

    endpoint = api.endpoint
    gated = (
        f"{model_id} is gated: accept its terms at {endpoint}/{model_id} with your account, and pull again with a "
        "token of that account in HF_TOKEN."
    )
    unknown = (
        f"There is no model {model_id} at {endpoint}, or it is private. Check the name; for a private one put a token "
        "that may read it into HF_TOKEN."
    )
    no_revision = f"{model_id} has no revision {revision!r}: say a branch, a tag or a commit."
    known: tuple[tuple[type[Exception], str], ...] = (
        (errors.GatedRepoError, gated),  # before the one it is a kind of
        (errors.RepositoryNotFoundError, unknown),
        (errors.RevisionNotFoundError, no_revision),
    )
    for kind, sentence in known:
        if isinstance(error, kind):
            return sentence
    if isinstance(error, errors.HfHubHTTPError):
        if error.response.status_code == 401 and not api.token:  # so a hub hides what is private
            return unknown
        return _status(error.response.status_code, endpoint)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full. Make room (`frontdesk models collect`) and pull again: it goes on where it was."
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return (
        f"{endpoint} cannot be reached ({reason}). Pull again when it can be: it goes on where it was. Offline, copy "
        "the model's folder here from another machine and give its path to `frontdesk models convert`."
    )


def _status(status: int, endpoint: str) -> str:
    if status in (401, 403):
        return f"{endpoint} refuses the token ({status}). Put a valid one into HF_TOKEN, or none for a public model."
    if status == 429:
        return f"{endpoint} says that we ask too often (429). Wait some minutes and pull again."
    return f"{endpoint} answers with an error ({status}). Pull again later: it goes on where it was."
