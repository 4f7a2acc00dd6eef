"""What this machine is, for the reader of a figure: processor, cores, memory, device, versions, the day.

Knows the operating system and installed packages, and no figure.
"""

import platform
import re
from importlib import metadata
from pathlib import Path

import psutil

from inference.library.manifest import now
from inference.threads import cores

PACKAGES = ("frontdesk", "ctranslate2", "transformers", "torch")


def processor() -> str:
    """What Linux calls it; elsewhere only its kind."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.is_file() else []
    return names[0] if names else platform.machine()


def described(*, device: str) -> dict[str, str | int]:
    """Plain values for a report. `device` is what was computed on, cpu or cuda."""
    found: dict[str, str | int] = {
        "processor": processor(),
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "measured": now(),
    }
    if device == "cuda" and (name := gpu()):
        found["gpu"] = name
    return found | versions()


def versions() -> dict[str, str]:
    """Of what computes, as far as it is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def gpu() -> str:
    """The first device's name; empty where nvidia-ml-py is missing or cannot say."""
    try:
        import pynvml
    except ImportError:
        return ""
    try:
        pynvml.nvmlInit()
        try:
            name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return ""
    return name.decode() if isinstance(name, bytes) else str(name)
