"""The machine and what runs on it: Python, the GPU and its libraries, a TPU.

Knows what is there. How fast a model runs on it is not measured.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from bot.finding import Finding
from bot.settings import Settings
from inference import cuda, tpu

TESTED = ((3, 11), (3, 14))  # Python versions


def check_python() -> Finding:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if TESTED[0] <= sys.version_info[:2] <= TESTED[1]:
        return Finding("ok", "Python", version)
    return Finding("warn", "Python", f"{version} is not tested", "use Python 3.11 to 3.14")


def check_gpu(settings: Settings) -> Finding:
    driver = cuda.driver_version()
    if not driver:
        return Finding("ok", "GPU", "no NVIDIA driver here: the model runs on the CPU")
    try:
        cuda.load_cublas()
    except cuda.CublasMissing:
        return Finding("warn", "GPU", f"{driver}, but cuBLAS is missing: it is not used", cuda.INSTALL)
    return Finding("ok", "GPU", f"{driver}, with cuBLAS")


def check_tpu(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Only where there is one, or where somebody asks for one: nobody else needs to hear of it."""
    for variable in ("FRONTDESK_DEVICE", "FRONTDESK_DEVICES"):
        if tpu.is_asked_for(environment.get(variable, "")):
            yield Finding(
                "fail", variable, f"asks for a TPU. {tpu.REASON}.", "set it to auto, or leave it out"
            )
    signs = tpu.signs(environment)
    if signs:
        said = f"this machine has one ({', '.join(signs)}), and the model runs on the CPU. {tpu.REASON}."
        yield Finding("warn", "TPU", said, "use a machine with an NVIDIA GPU where the CPU is too slow")
