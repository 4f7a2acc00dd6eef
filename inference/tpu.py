"""Why no model runs on a TPU here, and what tells that a machine has one.

Knows files and environment variables. Touches no device and loads nothing, so that settings and doctor may ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

REASON = "CTranslate2, which runs the models, has back ends for the CPU and for CUDA, and none for a TPU"

# What Google's own machine images and Kubernetes set where there is a TPU.
VARIABLES = ("TPU_NAME", "TPU_WORKER_ID", "TPU_ACCELERATOR_TYPE", "TPU_LIBRARY_PATH", "COLAB_TPU_ADDR")

# Google's number as a vendor of PCI devices, and those of its devices that are TPUs, from v2 to the seventh generation.
# Its network cards and disks have the same vendor.
_GOOGLE = "0x1ae0"
_CHIPS = ("0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076")

# The driver of v2 to v4 makes these; what other makers call accel lies in a folder of that name.
_DEVICE = re.compile(r"accel\d+")


def signs(
    environment: Mapping[str, str],
    *,
    devices: Path = Path("/dev"),
    pci: Path = Path("/sys/bus/pci/devices"),
) -> list[str]:
    """What tells that this machine has a TPU; nothing where none does."""
    found = [name for name in VARIABLES if environment.get(name)]
    if environment.get("PJRT_DEVICE", "").upper() == "TPU":
        found.append("PJRT_DEVICE")
    found += sorted(
        str(path) for path in _inside(devices) if _DEVICE.fullmatch(path.name) and not path.is_dir()
    )
    chips = sum(
        _read(card / "vendor") == _GOOGLE and _read(card / "device") in _CHIPS for card in _inside(pci)
    )
    return found + ([f"{chips} on PCI"] if chips else [])


def is_asked_for(device: str) -> bool:
    """Whether somebody wrote tpu, TPU, tpu:0 or xla where a device is named."""
    return any(word.startswith(("tpu", "xla")) for word in re.split(r"[\s,]+", device.lower()))


def _inside(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
