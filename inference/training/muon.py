"""Muon: momentum whose matrices are made orthogonal before each step (Keller Jordan, 2024).

Knows matrices only. In float32, since CPUs that train the starter have no bfloat16 (torch's own Muon needs it).
"""

from collections.abc import Iterable
from typing import Any

# Newton-Schulz coefficients of the paper: four or five rounds bring every singular value near one.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ROUNDS = 4


class Muon:
    """An optimizer for matrices, with the few methods of torch's own that the recipe calls."""

    def __init__(self, parameters: Iterable[Any], *, rate: float, momentum: float = 0.95) -> None:
        self.param_groups: list[dict[str, Any]] = [
            {"params": list(parameters), "lr": rate, "momentum": momentum}
        ]
        self._moments: list[Any] = [None] * len(self.param_groups[0]["params"])

    def step(self) -> None:
        import torch

        group = self.param_groups[0]
        by_shape: dict[Any, list[tuple[Any, Any]]] = {}
        with torch.no_grad():
            for index, parameter in enumerate(group["params"]):
                if parameter.grad is None:
                    continue
                if self._moments[index] is None:
                    self._moments[index] = torch.zeros_like(parameter)
                moment = self._moments[index].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(moment, group["momentum"])
                by_shape.setdefault(parameter.shape, []).append((parameter, ahead))
            for shape, pairs in by_shape.items():
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                updates = orthogonal(torch.stack([ahead for _, ahead in pairs]))
                for (parameter, _), update in zip(pairs, updates, strict=True):
                    parameter.add_(update, alpha=-scale)

    def zero_grad(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"moments": self._moments}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._moments = state["moments"]


def orthogonal(matrices: Any) -> Any:
    """The matrices (a stack of one shape) with all singular values near one."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_ROUNDS):
        a = x @ x.mT
        x = _A * x + (_B * a + _C * a @ a) @ x
    return x.mT if tall else x
