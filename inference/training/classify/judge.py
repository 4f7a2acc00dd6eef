"""The model that is trained: an encoder of BERT's kind, the mean of its states, and one linear layer.

Knows torch and transformers, which are imported when a model is opened. A served model does the same on CTranslate2
with its head in NumPy (`inference.heads`): the mean, then the layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from inference.convert import source as sources
from inference.heads import OUTCOMES, Floats
from inference.training.classify.progress import Moment, Watch, silent
from inference.training.classify.recipe import INSTALL, NoBase, Recipe, base_folder
from inference.training.classify.rows import Task
from inference.training.classify.tokens import Ids, Words, in_order


class TrainingMissing(ImportError):
    """torch or transformers is not installed; the message says how to get them."""


def needed() -> None:
    """Raises TrainingMissing."""
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise TrainingMissing(
            f"Training needs PyTorch and transformers, which are not installed. Install them: {INSTALL}"
        ) from error


class Judge:
    """Encoder and head. `encoder` and `head` are torch's modules; all else is plain arrays."""

    def __init__(self, recipe: Recipe, task: Task) -> None:
        """From the base, with a head of zeros. Raises TrainingMissing and NoBase."""
        needed()
        import torch
        from transformers import AutoModel

        self.recipe, self.task = recipe, task
        self.folder = base_folder(recipe)
        torch.set_num_threads(recipe.threads)
        with sources.quietly():
            self.encoder: Any = AutoModel.from_pretrained(
                self.folder,
                dtype=torch.float32,
                attn_implementation="sdpa",
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
            )
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # the mean is taken instead
        for name, module in self.encoder.named_modules():
            if isinstance(module, torch.nn.Dropout):
                # not of attention's own shares: torch has no fast kernel for that on a CPU
                module.p = 0.0 if ".self." in name or "attention.dropout" in name else recipe.dropout
        self.encoder.eval()
        self.width = int(self.encoder.config.hidden_size)
        self.head: Any = torch.nn.Linear(self.width, len(task.labels))
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        self.words = Words(self.folder, max_tokens=min(recipe.max_tokens, self._positions()))

    def _positions(self) -> int:
        """Tokens that the base has positions for."""
        held = getattr(self.encoder.config, "max_position_embeddings", None)
        if not isinstance(held, int):
            raise NoBase(
                f"{self.folder} does not say how many tokens it reads: it is no encoder of BERT's kind."
            )
        offset = self.encoder.config.model_type in ("roberta", "xlm-roberta", "camembert")
        return held - 2 if offset else held

    # -- what is computed ------------------------------------------------------------------------------------

    def pooled(self, ids: Any, mask: Any) -> Any:
        """The mean of each text's states."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        inside = mask.unsqueeze(-1).to(states.dtype)
        return (states * inside).sum(dim=1) / inside.sum(dim=1)

    def features(self, rows: Sequence[Ids], *, watch: Watch = silent, stage: str = "reading") -> Floats:
        """A row of pooled states for each text, in their order."""
        import torch

        found = np.zeros((len(rows), self.width), np.float32)
        done = 0
        with self.reading(), torch.inference_mode():
            for places in in_order([len(row) for row in rows]):
                ids, mask = self.words.tensors([rows[at] for at in places])
                found[places] = self.pooled(ids, mask).numpy()
                done += len(places)
                watch(Moment(stage, done, len(rows)))
        return found

    def logits(self, features: Floats) -> Floats:
        weight, bias = self.head_arrays()
        scores: Floats = features @ weight.T + bias
        return scores

    def probabilities(
        self, texts: Sequence[str], *, prepare: bool = True, watch: Watch = silent, stage: str = "judging"
    ) -> Floats:
        """A row for each text, a column for each label."""
        made = [self.recipe.prepare(text) for text in texts] if prepare and self.recipe.prepare else texts
        return self.shares(self.logits(self.features(self.words.ids(made), watch=watch, stage=stage)))

    def shares(self, logits: Floats) -> Floats:
        return OUTCOMES[self.task.outcome](logits)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Without dropout while the block is open."""
        before = self.encoder.training
        self.encoder.eval()
        try:
            yield
        finally:
            self.encoder.train(before)

    # -- its numbers -----------------------------------------------------------------------------------------

    def head_arrays(self) -> tuple[Floats, Floats]:
        """Copies of weight (labels, width) and bias (labels)."""
        return (
            self.head.weight.detach().numpy().astype(np.float32, copy=True),
            self.head.bias.detach().numpy().astype(np.float32, copy=True),
        )

    def set_head(self, weight: Floats, bias: Floats) -> None:
        import torch

        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(np.asarray(weight, np.float32)))
            self.head.bias.copy_(torch.from_numpy(np.asarray(bias, np.float32)))

    def state(self) -> dict[str, Any]:
        """Copies of all weights."""
        both = {
            **{f"encoder.{name}": value for name, value in self.encoder.state_dict().items()},
            **{f"head.{name}": value for name, value in self.head.state_dict().items()},
        }
        return {name: value.detach().clone() for name, value in both.items()}

    def load(self, state: dict[str, Any]) -> None:
        for part, module in (("encoder.", self.encoder), ("head.", self.head)):
            module.load_state_dict(
                {n.removeprefix(part): value for n, value in state.items() if n.startswith(part)}
            )

    def depth(self, name: str) -> int:
        """How far up a parameter of the encoder lies: 0 the embeddings, then layer by layer."""
        layer = re.search(r"\blayer\.(\d+)\.", name)
        return int(layer[1]) + 1 if layer else 0

    @property
    def layers(self) -> int:
        return 1 + max(self.depth(name) for name, _ in self.encoder.named_parameters())
