"""The bare ctranslate2.Generator in a process of its own: a question in on standard input, its token times out.

Knows CTranslate2 and nothing of Frontdesk's engine, queue or server: it is what they are compared with. Run as a
program it serves; `Bare` is the other end of it.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each token came, in seconds since the question was asked, and its id."""

    times: list[float]
    ids: list[int]


class Bare:
    """The process, for as long as the block lasts."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, prompt: list[str], *, max_tokens: int) -> Timeline:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"prompt": prompt, "max_tokens": max_tokens}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process of the bare Generator has ended")
        return Timeline(**json.loads(answer))

    def __enter__(self) -> "Bare":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def main(folder: str, threads: str) -> None:
    import ctranslate2

    generator = ctranslate2.Generator(folder, device="cpu", intra_threads=int(threads))
    for line in sys.stdin:
        asked = json.loads(line)
        times: list[float] = []
        ids: list[int] = []

        def step(result: ctranslate2.GenerationStepResult, times: list = times, ids: list = ids) -> bool:
            times.append(time.perf_counter())
            ids.append(result.token_id)
            return False

        began = time.perf_counter()
        generator.generate_batch(
            [asked["prompt"]],
            max_length=asked["max_tokens"],
            include_prompt_in_result=False,
            end_token=[],
            callback=step,
        )
        print(json.dumps({"times": [at - began for at in times], "ids": ids}), flush=True)
    while generator.num_active_batches:
        time.sleep(0.001)
    del generator  # a process that exits with a loaded Generator may abort


if __name__ == "__main__":
    main(*sys.argv[1:])
