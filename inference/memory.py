"""How many tokens' attention states fit into the device at once, and how long a prompt may be read in one go.

Knows bytes and tokens. Which rows take them is the engine's business.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from inference.sizes import Sizes

_log = logging.getLogger(__name__)

# Of what is free once the model is loaded. On a CPU others need memory as well; on a GPU the rest is room for
# temporary copies: each step writes one layer's states anew (ops::Concat).
SHARE = {"cpu": 0.5, "cuda": 0.8}

# Of the budget, what reading prompts may take for a moment: attention scores are square in the prompt's length.
PREFILL = 0.2

# Bytes, where nobody knows what is free: CTranslate2 cannot say, and nvidia-ml-py is not installed.
UNKNOWN = 4 << 30

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(slots=True)
class Memory:
    """A budget of `tokens`, of which `kept` are taken for good (prefixes). It shrinks when the device was full, and
    grows back slowly, since what filled it may have been somebody else."""

    sizes: Sizes
    compute_type: str
    size: int  # bytes
    kept: int = 0  # tokens
    _most: int = 0

    def __post_init__(self) -> None:
        self._most = self.size

    @property
    def token_bytes(self) -> int:
        return self.sizes.state_bytes(self.compute_type)

    @property
    def tokens(self) -> int:
        """Tokens of all rows together."""
        return max(1, self.size // self.token_bytes - self.kept)

    def reads(self, *, rows: int, tokens: int) -> bool:
        """Whether prompts of so many tokens may be read by so many rows in one go."""
        return rows * self.sizes.score_bytes(tokens, self.compute_type) <= PREFILL * self.size

    def shrink(self, *, used: int) -> None:
        """The device was full with `used` tokens in use: fewer from now on, but no less than a quarter of the first
        budget, since it may have been scores that filled it."""
        self.size = max(self._most // 4, min(self.size, int(used * self.token_bytes * 0.8)))

    def recover(self) -> None:
        """All went well: some percent more."""
        self.size = min(self._most, int(self.size * 1.05) + 1)


def free(device: str, *, index: int = 0) -> int:
    """Bytes that may be taken for states, by SHARE of what is free now."""
    left = _free_on_gpu(_visible(index)) if device == "cuda" else _free_on_host()
    return int(left * SHARE[device]) if left else UNKNOWN


def unused(device: str) -> int:
    """Bytes that are free now: on cpu; on cuda, the first GPU that this process may see; on auto, there or else on cpu;
    or on a GPU by the driver's number or name for it. 0 where nobody can tell."""
    if device == "cpu":
        return _free_on_host()
    left = _free_on_gpu(_visible(0) if device in ("auto", "cuda") else device)
    return left or (_free_on_host() if device == "auto" else 0)


def _free_on_host() -> int:
    return min(psutil.virtual_memory().available, _free_in_group())


def _free_in_group() -> int:
    """What a container's limit leaves (cgroup v2), where there is one."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        reclaimable = int((_CGROUP / "memory.stat").read_text().split("inactive_file ")[1].split()[0])
    except (OSError, ValueError, IndexError):
        return 1 << 62
    return max(0, int(limit) - used + reclaimable) if limit.isdigit() else 1 << 62


def _free_on_gpu(name: str) -> int:
    """By the driver's number or name for it; 0 where it cannot be told."""
    try:
        import pynvml
    except ImportError:
        return 0
    try:
        pynvml.nvmlInit()
        try:
            by_number, by_name = pynvml.nvmlDeviceGetHandleByIndex, pynvml.nvmlDeviceGetHandleByUUID
            handle = by_number(int(name)) if name.isdigit() else by_name(name)
            return int(pynvml.nvmlDeviceGetMemoryInfo(handle).free)
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        _log.warning("The GPU's free memory cannot be read: %s", error)
        return 0


def _visible(index: int) -> str:
    """NVML counts all devices, CUDA only those that CUDA_VISIBLE_DEVICES names."""
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return names[index] if index < len(names) else str(index)
