"""The training of the starter model: causal pre-training, then chat tuning, with checkpoints to go on from.

Knows torch, tensors and the learning rate. What is learned comes from `conversations`; conversion is `export`'s work.
"""

import logging
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from inference.training.conversations import Conversations
from inference.training.copying import wire
from inference.training.evidence import SCALE, embeddings
from inference.training.muon import Muon
from inference.training.tokenizer import Encoder

_log = logging.getLogger(__name__)

CONTEXT = 1024  # positions the model is made for

# Conversations drawn at a time and sorted by length, so that a batch holds little padding.
ROUND = 400


@dataclass(frozen=True, slots=True)
class Shape:
    """A small Qwen2: a Llama whose attention has biases, which `copying` needs. Tied embeddings: most words of a small
    vocabulary are both read and said."""

    hidden: int = 288
    layers: int = 4
    heads: int = 4
    feed_forward: int = 768

    def config(self, layers: int, *, vocabulary: int, pad: int, end: int) -> Any:
        from transformers import Qwen2Config

        return Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=self.hidden,
            num_hidden_layers=layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            intermediate_size=self.feed_forward,
            max_position_embeddings=CONTEXT,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6},  # half of the dimensions hardly turn
            tie_word_embeddings=True,
            pad_token_id=pad,
            bos_token_id=None,
            eos_token_id=end,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast. The rate is constant after a short start, and falls to nothing in the last part, so that
    a checkpoint of the middle can be gone on from with a longer plan."""

    seed: int = 1
    pretrain_steps: int = 60
    steps: int = 1500
    brief: float = 0.45  # the first part, with short conversations: many questions for little work
    fall: float = 0.4  # the last part of the steps, in which the rate falls
    warm: int = 10
    batch_tokens: int = 2048
    rate: float = 0.015  # for matrices, by Muon
    rate_table: float = 0.01  # for embeddings, by AdamW
    rate_rest: float = 0.003  # for norms and biases, by AdamW
    cut: float = 0.5  # conversations of which the last answer's end is left out
    cut_at: int = 7
    drills: float = 0.15  # of all conversations: names to copy
    threads: int = 2
    checkpoint_every: int = 25
    shape: Shape = field(default_factory=Shape)
    grow_at: int | None = None  # the step at which half the layers become all; until then a step costs half

    def factor(self, step: int) -> float:
        """What the rates are multiplied with."""
        start = min(1.0, (step + 1) / self.warm)
        left = (self.steps - step) / max(1, self.steps * self.fall)
        return max(0.0, min(start, left, 1.0))


class Training:
    """One run. `run()` goes on from the last checkpoint in `folder`, if there is one."""

    def __init__(
        self, *, plan: Plan, tokenizer: Tokenizer, conversations: Conversations, folder: Path
    ) -> None:
        import torch

        torch.set_num_threads(plan.threads)
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.step = 0
        self.tokens = 0
        self._file = folder / "checkpoint.pt"
        self._encoder = Encoder(tokenizer)
        self._conversations = conversations
        self._average: dict[str, Any] = {}
        self._vocabulary = tokenizer.get_vocab_size()
        self.model: Any
        self._optimizers: list[Any]
        self._build(plan.shape.layers // 2 if plan.grow_at else plan.shape.layers)

    def _build(self, layers: int) -> None:
        """A model of so many layers, and optimizers for it."""
        import torch
        from transformers import Qwen2ForCausalLM

        config = self.plan.shape.config(
            layers, vocabulary=self._vocabulary, pad=self._encoder.pad, end=self._encoder.end
        )
        self.model = Qwen2ForCausalLM(config)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        table = [self.model.get_input_embeddings().weight]
        rest = [p for p in self.model.parameters() if p.ndim != 2]
        self._optimizers = [
            Muon(matrices, rate=self.plan.rate),
            torch.optim.AdamW(table, lr=self.plan.rate_table, betas=(0.9, 0.97), weight_decay=0.0),
            torch.optim.AdamW(rest, lr=self.plan.rate_rest, betas=(0.9, 0.97), weight_decay=0.0),
        ]

    def run(self) -> None:
        """Trains to the end of the plan."""
        self._resume()
        begun, seen = time.monotonic(), self.tokens
        losses: list[float] = []
        batches = self._batches()
        while self.step < self.plan.steps:
            if self.step == self.plan.grow_at:
                self._grow()
            losses.append(self._learn(*next(batches)))
            self.step += 1
            if self.step % 5 == 0:
                speed = (self.tokens - seen) / (time.monotonic() - begun)
                mean = sum(losses) / len(losses)
                losses.clear()
                _log.info("step %d loss %.3f, %d tokens, %.0f a second", self.step, mean, self.tokens, speed)
            if self.step % self.plan.checkpoint_every == 0 or self.step == self.plan.steps:
                self.save()

    def finished(self, *, train: bool = True) -> Any:
        """The model with its weights averaged over the last steps; without training, as the checkpoint has them."""
        if train:
            self.run()
        else:
            self._resume()
        self.model.load_state_dict(
            self._average, strict=False
        )  # the tied output weights are not listed twice
        return self.model.eval()

    def _grow(self) -> None:
        """Adds the other half of the layers. They change nothing at first: what they would add is zero."""
        import torch

        old, average, begun = self.model, self._average, self.model.config.num_hidden_layers
        if begun == self.plan.shape.layers:
            return
        self._build(self.plan.shape.layers)
        self.model.load_state_dict(old.state_dict(), strict=False)
        with torch.no_grad():
            for layer in self.model.model.layers[begun:]:
                layer.self_attn.o_proj.weight.zero_()
                layer.mlp.down_proj.weight.zero_()
        self._average = {n: v.detach().clone() for n, v in self.model.named_parameters()} | average
        _log.info("grown from %d layers to %d", begun, self.plan.shape.layers)

    def save(self) -> None:
        import torch

        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_suffix(".part")
        torch.save(
            {
                "step": self.step,
                "tokens": self.tokens,
                "plan": asdict(self.plan),
                "layers": self.model.config.num_hidden_layers,
                "model": self.model.state_dict(),
                "average": self._average,
                "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            },
            part,
        )
        part.replace(self._file)

    def _begin(self) -> None:
        import torch

        table = self.model.get_input_embeddings().weight
        with torch.no_grad():
            table.copy_(
                embeddings(self._conversations, self._encoder, size=tuple(table.shape), seed=self.plan.seed)
            )
            self.model.model.norm.weight.fill_(1 / SCALE)
        wire(self.model)
        self._average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        _log.info("counted which words belong together")

    def _resume(self) -> None:
        """Goes on from the checkpoint; without one, begins."""
        import torch

        if not self._file.is_file():
            return self._begin()
        saved = torch.load(self._file, weights_only=True)
        self.step, self.tokens = saved["step"], saved["tokens"]
        if saved["layers"] != self.model.config.num_hidden_layers:
            self._build(saved["layers"])
        self.model.load_state_dict(saved["model"])
        self._average = saved["average"]
        for optimizer, state in zip(self._optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        _log.info("going on from step %d", self.step)
        return None

    def _learn(self, ids: Any, learned: Any) -> float:
        """One step: the loss of the marked tokens, each predicted from those before it."""
        import torch
        from torch.nn import functional

        factor = self.plan.factor(self.step)
        rates = (self.plan.rate, self.plan.rate_table, self.plan.rate_rest)
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        wanted = learned[:, 1:]
        # Padding stands at the end, where causal attention never looks from a marked token.
        scores = functional.linear(hidden[wanted], self.model.lm_head.weight)
        loss = functional.cross_entropy(scores, ids[:, 1:][wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.tokens += ids.numel()
        self._remember()
        return float(loss.detach())

    def _remember(self) -> None:
        """The running average: some 30 steps long, shorter at the beginning."""
        import torch

        keep = min(0.97, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.model.named_parameters():
                self._average[name].lerp_(value, 1 - keep)

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        """Seeded by the step, so that a run that goes on never sees the same again."""
        while True:
            rng = random.Random(f"{self.plan.seed}/{self.step}")  # noqa: S311 (data, no secret)
            if self.step < self.plan.pretrain_steps:
                yield self._tensors([self._document(rng) for _ in range(self.plan.batch_tokens // 256)])
            else:
                yield from self._round(rng)

    def _round(self, rng: random.Random) -> Iterator[tuple[Any, Any]]:
        """Some batches of conversations of like length each."""
        talks = sorted((self._talk(rng) for _ in range(ROUND)), key=lambda talk: len(talk[0]))
        batches: list[list[tuple[list[int], list[bool]]]] = [[]]
        for talk in talks:
            if (len(batches[-1]) + 1) * len(talk[0]) > self.plan.batch_tokens and batches[-1]:
                batches.append([])
            batches[-1].append(talk)
        rng.shuffle(batches)
        for batch in batches:
            yield self._tensors(batch)

    def _talk(self, rng: random.Random) -> tuple[list[int], list[bool]]:
        if rng.random() < self.plan.drills:
            return self._drill(rng)
        brief = self.step < self.plan.steps * self.plan.brief
        talk = self._conversations.draw(rng, brief=brief)
        cut = self.plan.cut_at if rng.random() < self.plan.cut + 0.2 * brief else None
        ids, learned = self._encoder.conversation(talk, cut=cut)
        return ids[:CONTEXT], learned[:CONTEXT]

    def _drill(self, rng: random.Random) -> tuple[list[int], list[bool]]:
        """A row of names said twice: how to copy what stands before, which remembering a name needs."""
        names = self._encoder.text(
            "".join(f" {self._conversations.name(rng)}" for _ in range(rng.randint(3, 8)))
        )
        return [*names, *names], [False] * len(names) + [True] * len(names)

    def _document(self, rng: random.Random) -> tuple[list[int], list[bool]]:
        """256 tokens of plain text: questions of one kind and their answer, and invented names said over again."""
        ids: list[int] = []
        while len(ids) < 256:
            if rng.random() < 0.25:
                name = self._conversations.name(rng)
                text = f" {name}. {name}" + f" {self._conversations.name(rng)} {name}" * 2
            else:
                asked, answer = self._conversations.same(rng, count=rng.choice((1, 2, 3)))
                text = " " + "\n ".join((*asked, answer))
            ids += [*self._encoder.text(text), self._encoder.end]
        return ids[:256], [True] * 256

    def _tensors(self, batch: list[tuple[list[int], list[bool]]]) -> tuple[Any, Any]:
        import torch

        longest = max(len(ids) for ids, _ in batch)
        ids = torch.full((len(batch), longest), self._encoder.pad)
        learned = torch.zeros((len(batch), longest), dtype=torch.bool)
        for row, (tokens, marks) in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            learned[row, : len(marks)] = torch.tensor(marks)
        return ids, learned
