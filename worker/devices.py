"""Which devices get a worker process each, and what such a process has to see of its surroundings.

Knows what the operator writes and CUDA's own variables. Starts no worker; asks the driver in a process of its own,
since whoever asks holds a part of the GPU until it ends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.settings import AUTO

VISIBLE = "CUDA_VISIBLE_DEVICES"
COUNT = "import ctranslate2; print(ctranslate2.get_cuda_device_count())"
PATIENCE = 60.0  # seconds; a driver that wakes many GPUs takes its time


@dataclass(frozen=True, slots=True)
class Device:
    """`name` is cpu, a GPU's number or what the driver calls it; `index` its place among those that were asked for,
    None for the only one, which a worker finds by its own settings: auto, cpu or cuda."""

    name: str
    index: int | None = None

    def environment(self) -> dict[str, str]:
        """A process that sees this device and no other."""
        if self.index is None:
            return {}
        if self.name == "cpu":
            return {"FRONTDESK_DEVICE": "cpu", VISIBLE: ""}
        # In the order of nvidia-smi: else number 0 is the fastest.
        return {"FRONTDESK_DEVICE": "cuda", VISIBLE: self.name, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def chosen(
    devices: str, *, environment: Mapping[str, str], count: Callable[[Mapping[str, str]], int] | None = None
) -> list[Device]:
    """The devices that a setting names. auto is every GPU that this process may see, or else the CPU."""
    names = devices.split(",")
    if devices == AUTO:
        found = (count or _count)({**environment, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
        allowed = [name.strip() for name in environment.get(VISIBLE, "").split(",") if name.strip()]
        names = (allowed or [str(number) for number in range(found)])[:found] or ["cpu"]
    return [Device(name, index) for index, name in enumerate(names)]


def _count(environment: Mapping[str, str]) -> int:
    """0 as well where CTranslate2 cannot say: the worker itself then tells why."""
    try:
        asked = subprocess.run(  # noqa: S603  # our own Python and a constant
            [sys.executable, "-P", "-c", COUNT],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return 0
    return int(asked.stdout) if asked.stdout.strip().isdigit() else 0
