"""Which settings each system is tried with, so that all meet the same threads and replicas.

Knows numbers only.
"""

from dataclasses import replace
from itertools import product

from systems import Setup


def replicas(*, device: str, cores: int, quick: bool) -> list[tuple[int, int]]:
    """(inter_threads, intra_threads). On a CPU the cores are shared out, and once both replicas get all; on a GPU
    a replica is a stream, and its threads do not matter."""
    if device != "cpu":
        return [(1, 1), (4, 1)] if quick else [(1, 1), (2, 1), (4, 1), (8, 1)]
    pairs = [(1, cores), (2, max(1, cores // 2))]
    if not quick:
        pairs += [(2, cores)] + [(share, cores // share) for share in (4, 8) if cores >= share]
    return list(dict.fromkeys(pairs))


def setups(system: str, base: Setup, *, cores: int, quick: bool) -> list[Setup]:
    """Every setting that `system` is to be tried with; `base` says the model and the device."""
    pairs = replicas(device=base.device, cores=cores, quick=quick)
    batches = [0]
    if system == "batched":
        batches = [16] if quick else [8, 32]
    if system == "frontdesk":
        pairs = [(0, 0), *pairs]  # what the engine chooses by itself
    return [
        replace(base, system=system, inter_threads=inter, intra_threads=intra, batch=batch)
        for (inter, intra), batch in product(pairs, batches)
    ]
