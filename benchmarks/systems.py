"""A system in a process of its own: a load in on standard input, its exchanges out.

Knows how such a process is started and spoken to; run as a program it is one. What it runs, `contenders` and `peer`
know.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from conversations import Ask, Exchange, Load, play

from inference.chat import Chat


@dataclass(frozen=True, slots=True)
class Setup:
    """One system as it is to be run. The numbers are CTranslate2's; 0 leaves them to Frontdesk's engine."""

    system: str  # bare, single, batched, frontdesk or peer
    model: str
    device: str = "cpu"
    compute_type: str = "default"
    inter_threads: int = 1
    intra_threads: int = 0
    batch: int = 0
    peer: str = ""  # base URL, up to /v1
    peer_model: str = ""

    @property
    def label(self) -> str:
        if self.system == "peer":
            return self.peer
        if not self.inter_threads:
            return "chosen by itself"
        threads = (
            f"{self.inter_threads} x {self.intra_threads}"
            if self.device == "cpu"
            else f"{self.inter_threads}"
        )
        return threads + (f", batch {self.batch}" if self.batch else "")


class System:
    """A system's process, for as long as the block lasts."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(asdict(setup))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def play(self, load: Load) -> list[Exchange]:
        assert self._process.stdin is not None
        print(json.dumps(asdict(load)), file=self._process.stdin, flush=True)
        return [Exchange(**exchange) for exchange in json.loads(self._line())]

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.setup.system} ({self.setup.label}) has ended")
        return line

    def __enter__(self) -> "System":
        """Waits until it has loaded and warmed up, so that it takes no time from another."""
        try:
            self._line()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if kind is not None:
            self._process.kill()
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


@contextmanager
def opened(setup: Setup) -> Iterator[Ask]:
    if setup.system == "peer":
        from peer import Peer

        with Peer(setup.peer, model=setup.peer_model, key=os.environ.get("PEER_KEY", "")) as peer:
            yield peer.ask
    else:
        from contenders import CONTENDERS, asking

        chat = Chat.load(Path(setup.model))
        with CONTENDERS[setup.system](setup, chat) as run:
            yield asking(run, chat)


def main(setup: str) -> None:
    with opened(Setup(**json.loads(setup))) as ask:
        play(Load(conversations=2, turns=1, tokens=4), ask)  # first kernels, first buffers
        print("ready", flush=True)
        for line in sys.stdin:
            exchanges = play(Load(**json.loads(line)), ask)
            print(json.dumps([asdict(exchange) for exchange in exchanges]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
