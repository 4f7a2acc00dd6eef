"""Does the classifier keep its memory and its pace? Many checks, resident memory told every so often.

python benchmarks/moderation_soak.py --checks 100000          some minutes: most texts are new, some come again
python benchmarks/moderation_soak.py --latency                a short message and a window of 256 tokens
"""

import argparse
import asyncio
import gc
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

from inference.encoders import Encoder
from moderation.classifier import FOLDER, Classifier

SAID = (
    "where is my parcel please send the invoice again tomorrow we meet at noon for lunch the train was late and the "
    "garden needs water could you help me with this form thanks a lot what does it cost to change the booking"
)
WORDS = SAID.split()
CHINESE = "请问我的包裹什么时候到我想修改收货地址谢谢你的帮助明天下午三点见"
AGAIN = 0.1  # of the texts were asked before
GROWTH = 8.0  # MB that are allowed after the first tenth: what the caches hold when they are full


def text(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.05:
        return "".join(chance.choices(CHINESE, k=chance.randint(4, 60)))
    if kind < 0.08:
        return "Wo ist mein Paket? " + " ".join(
            chance.choices(["ich", "habe", "es", "vor", "zehn", "Tagen", "bestellt"], k=12)
        )
    return " ".join(chance.choices(WORDS, k=300 if kind > 0.99 else chance.randint(3, 25)))


async def soak(classifier: Classifier, checks: int) -> bool:
    chance, process, asked = random.Random(1), psutil.Process(), ["hello"]
    step, sizes, began = max(checks // 10, 1), [], time.perf_counter()
    for at in range(1, checks + 1):
        said = chance.choice(asked) if chance.random() < AGAIN else text(chance)
        asked = [*asked[-99:], said]
        await classifier.score(said)
        if at % step == 0:
            gc.collect()
            sizes.append(process.memory_info().rss / 2**20)
            rate = at / (time.perf_counter() - began)
            print(f"{at:>8,} checks  {sizes[-1]:7.1f} MB  {rate:6.0f} a second", flush=True)
    grown = max(sizes) - sizes[0]
    print(f"grown by {grown:.1f} MB after the first {step:,}; allowed {GROWTH}")
    return grown <= GROWTH


async def latency(classifier: Classifier, encoder: Encoder, rounds: int) -> None:
    """`encoder`: the same model once more, so that its own share of the time can be told."""
    chance = random.Random(2)
    for name, words in (("a short message", 14), ("one window", 225)):
        whole, alone, used = [], [], []
        for _ in range(rounds):
            said = " ".join(chance.choices(WORDS, k=words))
            began = time.perf_counter()
            await classifier.score(said)
            whole.append((time.perf_counter() - began) * 1e3)
            windows = encoder.windows(said)
            began, busy = time.perf_counter(), time.process_time()
            encoder.read(windows, [])
            alone.append((time.perf_counter() - began) * 1e3)
            used.append((time.process_time() - busy) * 1e3)
        print(
            f"{name}, {len(windows[0])} tokens, ms: {_spread(whole)}; the encoder alone {_spread(alone)}, "
            f"{np.median(used):.2f} of them on a core; beside it {np.median(whole) - np.median(alone):.2f}"
        )


def _spread(times: Sequence[float]) -> str:
    return f"p50 {np.percentile(times, 50):.2f} p95 {np.percentile(times, 95):.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checks", type=int, default=100_000)
    parser.add_argument("--model", type=Path, help="another model's folder; the bundled one without it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--latency", action="store_true", help="time short and long texts in place of the soak"
    )
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args(arguments)
    classifier = Classifier.load(options.model, threads=options.threads)
    try:
        if options.latency:
            with Encoder(options.model or FOLDER, threads=options.threads) as encoder:
                asyncio.run(latency(classifier, encoder, options.rounds))
            return 0
        return 0 if asyncio.run(soak(classifier, options.checks)) else 1
    finally:
        classifier.close()


if __name__ == "__main__":
    raise SystemExit(main())
