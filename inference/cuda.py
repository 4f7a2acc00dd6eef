"""What CTranslate2 needs of CUDA and does not bring along: cuBLAS from its wheel, and a lasting home for its kernels.

Knows files, environment variables and the dynamic loader. Does not import CTranslate2, so that `frontdesk doctor` may
look as well; whoever chooses a device brings its count.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

from inference.request import EngineError

# In the order in which they need each other; CTranslate2 asks the loader for both by these names.
LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")
WHEEL = "nvidia.cublas"

INSTALL = "pip install 'frontdesk[cuda]'"

# Bytes. Where the wheel has no machine code for a GPU (Hopper, Blackwell), the driver compiles all of its kernels at
# the first start, which takes minutes; with its own limit it may throw some of them away again. This is its largest.
KERNELS = 4 * 1024**3 - 1

Load = Callable[[str], object]

_log = logging.getLogger(__name__)


class CublasMissing(EngineError):
    """There is a GPU, and not the library that CTranslate2 needs on it; the message says how to get it."""


def choose(
    device: str,
    *,
    count: Callable[[], int],
    kernels: Path | None = None,
    environment: MutableMapping[str, str] | None = None,
    load: Load | None = None,
    folders: Sequence[Path] | None = None,
) -> str:
    """`cpu` or `cuda` for auto, cpu or cuda; on cuda the libraries are loaded when it returns.

    auto is the GPU where there is one that works. `count` is CTranslate2's get_cuda_device_count; `kernels` the folder
    where the driver keeps what it compiles, unless the operator has chosen another: call this before anything else
    touches the driver. Raises EngineError where cuda is asked for and there is none, and CublasMissing.
    """
    if device == "cpu":
        return device
    environment = os.environ if environment is None else environment
    if kernels is not None:
        environment.setdefault("CUDA_CACHE_PATH", str(kernels))
    environment.setdefault("CUDA_CACHE_MAXSIZE", str(KERNELS))
    if not count():
        if device == "cuda":
            raise EngineError(
                "There is no CUDA device here that the driver lets us use. Choose the device cpu."
            )
        return "cpu"
    try:
        load_cublas(load=load, folders=folders)
    except CublasMissing as error:
        if device == "cuda":
            raise
        _log.warning("The GPU is not used. %s", error)
        return "cpu"
    if kernels is not None and environment["CUDA_CACHE_PATH"] == str(kernels):
        kernels.mkdir(parents=True, exist_ok=True)
    return "cuda"


def load_cublas(*, load: Load | None = None, folders: Sequence[Path] | None = None) -> None:
    """Load cuBLAS for the whole process: from its wheel, else from where the system keeps it.

    CTranslate2 looks for a library of that name when it first multiplies, and finds what is loaded already. Without it
    the process would end there and then. Raises CublasMissing.
    """
    load = load or _load
    found = wheel_folders() if folders is None else folders
    for name in LIBRARIES:
        files = [folder / name for folder in found if (folder / name).is_file()]
        try:
            load(str(files[0]) if files else name)
        except OSError as error:
            raise CublasMissing(
                f"A library for the GPU, {name}, cannot be loaded ({error}). Install it: {INSTALL}"
            ) from error


def wheel_folders() -> list[Path]:
    """Where the wheel nvidia-cublas-cu12 keeps its libraries; none where it is not installed."""
    try:
        spec = importlib.util.find_spec(WHEEL)
    except ModuleNotFoundError:  # there is not even a folder nvidia
        return []
    return [Path(folder) / "lib" for folder in (spec.submodule_search_locations or ())] if spec else []


def driver_version(version: Path = Path("/proc/driver/nvidia/version")) -> str:
    """The NVIDIA driver of this machine; empty where there is none. Looks without touching it."""
    try:
        lines = version.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return lines[0].removeprefix("NVRM version:").strip() if lines else ""


def _load(name: str) -> object:
    return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
