"""What the tests of inference share: one random model, and an engine's answer gathered as it comes."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inference import random_model
from inference.chat import Chat, Turn
from inference.engine import Engine, Finish, Request, Sampling

PATIENCE = 30.0  # seconds; a tiny model answers in milliseconds, a busy machine takes its time


@dataclass
class Answer:
    """One request's tokens and its end. `on_token` may be replaced by a test before it submits."""

    ids: list[int] = field(default_factory=list)
    finishes: list[Finish] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def on_token(self, token: int) -> None:
        self.ids.append(token)
        self.begun.set()

    def on_finish(self, finish: Finish) -> None:
        self.finishes.append(finish)
        self.ended.set()

    @property
    def reason(self) -> str:
        assert self.ended.wait(PATIENCE), "the request never ended"
        assert len(self.finishes) == 1
        return self.finishes[0].reason


class Held(Answer):
    """An answer that stops the decoding loop at its first token until `release` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def on_token(self, token: int) -> None:
        super().on_token(token)
        assert self.release.wait(PATIENCE)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For torch. Tiny matrices gain nothing from several, which wait for each other by spinning."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def chat(folder: Path) -> Chat:
    return Chat.load(folder)


@pytest.fixture(scope="session")
def prompt(chat: Chat) -> tuple[int, ...]:
    return chat.prompt([Turn("user", "What is this?")])


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    with Engine(folder, inter_threads=1, intra_threads=1) as engine:
        yield engine


@pytest.fixture
def ask(engine: Engine, prompt: tuple[int, ...]) -> Callable[..., Answer]:
    """Submit a request: ask("id", max_tokens=5, deadline=..., emitted=..., prompt=...)."""

    def submit(
        request_id: str = "a",
        *,
        answer: Answer | None = None,
        emitted: tuple[int, ...] = (),
        deadline: float | None = None,
        prompt: tuple[int, ...] = prompt,
        max_tokens: int = 20,
        **sampling: float,
    ) -> Answer:
        answer = answer or Answer()
        request = Request(
            id=request_id,
            prompt=prompt,
            sampling=Sampling(max_tokens=max_tokens, **sampling),  # type: ignore[arg-type]
            emitted=emitted,
            deadline=deadline,
        )
        engine.submit(request, on_token=answer.on_token, on_finish=answer.on_finish)
        return answer

    return submit
