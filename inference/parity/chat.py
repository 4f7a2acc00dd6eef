"""The gate of decoders: the converted model on CTranslate2 beside its source on transformers, over the same tokens.

Two questions are kept apart. *Was it converted right?* is asked in float32 on both sides, over the very weights that
were stored: for a quantised variant the source's weights are rounded just as the converter rounds them. So an int8
variant is held to the same fine limit as a float32 one, and no mistake hides behind rounding. *How much does the
variant lose?* is asked against the source as it is: of the stored weights, with limits that hold on every machine; and
of the variant as this machine serves it, which is told.

Knows prompts, figures and limits. The two engines stand in `parity_sides`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from inference.convert import source as sources
from inference.parity import Check, Report
from inference.parity.sides import CannotRun, Decoded, Ids, Logits, Made, Original, Passage
from inference.parity.words import TEXT, same_words

# The largest difference of any logit, in standard deviations of the source's logits over that passage. In float32 the
# engines differ by 1e-6 to 2e-5, since they add up matrices in another order, and a little more with every layer; one
# projection of one layer that is 5 % off makes 1e-2 and more.
LOGITS = 1e-3

# A token that the source likes less than its best by no more than this (in the same measure) is as good as its best:
# each engine may decide such ties its own way.
TIE = 2 * LOGITS

# What a variant's weights may lose, by its type: perplexity (0.01: one per cent more), and how often its best token is
# as good as the source's best. Weights are rounded to 11 bits, to 8 bits, or to 8 bits of a row's largest.
DRIFT = {"float16": 2e-3, "bfloat16": 1e-2, "int8": 3e-2}
AGREEMENT = {"float16": 0.99, "bfloat16": 0.97, "int8": 0.90}

# A token that the source finds this likely beside its best is as good: where a model hardly prefers anything, rounding
# may choose.
LIKELY = 0.8

SHORT = (2, 5, 8)  # tokens of the prompts
MEDIUM = (24, 57)
LONGEST = 4096  # beyond, nothing new begins in any family
WORK = 5e12  # parameters times tokens of the long prompt: some minutes of a small CPU for each engine
SCORES = 2e8  # logits of a passage: 800 MB of float32
SAID = 32  # greedy tokens to a prompt
PAIR = (8, 24)  # tokens of the two that are answered in one call


def check(
    *, source: Path, made: Path, variant: str, context_length: int, end_token_ids: Sequence[int]
) -> Report:
    """All that a decoder has to pass. `end_token_ids` are those that the engine will read from the made folder."""
    started = time.monotonic()
    tokenizer = sources.load_tokenizer(source)
    config = sources.configuration(source)
    checks = [*same_words(made, tokenizer)]
    declared = sources.end_token_ids(source, config, tokenizer=tokenizer)
    checks.append(_same_ends(declared, end_token_ids))
    said = min(SAID, max(1, context_length // 3))
    asked = prompts(
        tokenizer,
        said=said,
        context_length=context_length,
        parameters=sources.weights(source).parameters,
        vocabulary=(config.get("text_config") or config).get("vocab_size") or len(tokenizer),
    )
    try:
        checks += _compare(source, made, variant, asked, said=said, declared=declared, ends=end_token_ids)
    except CannotRun as error:
        checks.append(Check("errors of CTranslate2", 1, "at most", 0, note=str(error)[:300]))
    reference = f"transformers {metadata.version('transformers')}, float32, eager attention, CPU"
    return Report(variant, reference, tuple(checks), round(time.monotonic() - started, 1))


def prompts(
    tokenizer: Any, *, said: int, context_length: int, parameters: int, vocabulary: int
) -> tuple[Passage, ...]:
    """The same for the same vocabulary, always: tokens drawn with a fixed seed, and a text. The long one ends where
    the context does, as far as time and memory allow; `said` tokens are left for the answer."""
    special = set(tokenizer.all_special_ids)
    ids = [i for i in sorted(tokenizer.get_vocab().values()) if i not in special and i < vocabulary]
    draw = np.random.default_rng(len(ids))
    longest = min(
        LONGEST, max(256, int(WORK) // max(parameters, 1)), int(SCORES) // vocabulary, context_length
    )

    def drawn(group: str, count: int) -> Passage:
        count = max(2, min(count, longest - said))
        return Passage(group, tuple(int(i) for i in draw.choice(ids, count)))

    text = tuple(tokenizer(TEXT, add_special_tokens=False)["input_ids"])
    return (
        *(drawn("short", count) for count in SHORT),
        *(drawn("medium", count) for count in MEDIUM),
        drawn("long", longest - said),
        Passage("text", text[: min(256, longest)]),
    )


def _compare(
    source: Path,
    made: Path,
    variant: str,
    asked: Sequence[Passage],
    *,
    said: int,
    declared: Ids,
    ends: Sequence[int],
) -> Iterator[Check]:
    """One model in memory at a time; of each, the logits at the positions that are kept."""
    with Made.loaded(made, compute_type="float32") as ours:
        decoded = _decode(ours, asked, count=said, ends=ends)
        ours_exact = [ours.logits(passage) for passage in decoded.all]
        together = ours.together(decoded.pair)
        apart = ours.together(decoded.pair[:1]) + ours.together(decoded.pair[1:])
    ours_served = ours_exact
    if variant != "float32":
        with Made.loaded(made, compute_type="default") as ours:
            ours_served = [ours.logits(passage) for passage in decoded.all]
    with Original.loaded(source) as theirs:
        rows = theirs.vocabulary
        whole = [theirs.logits(passage) for passage in decoded.all]
        theirs.round_like(variant)
        exact = whole if variant == "float32" else [theirs.logits(passage) for passage in decoded.all]
    ours_exact = [logits[:, :rows] for logits in ours_exact]
    ours_served = [logits[:, :rows] for logits in ours_served]
    yield from _logits(decoded, ours_exact, exact)
    yield Check("logits of two together", worst(map(distance, together, apart)), "at most", LOGITS)
    yield from _greedy(decoded, exact)
    yield _stops(decoded, declared)
    if variant != "float32":
        yield from _losses(variant, decoded, ours_exact, ours_served, whole)


def _decode(ours: Made, asked: Sequence[Passage], *, count: int, ends: Sequence[int]) -> Decoded:
    """An answer to one prompt of each length alone, and to a pair of unequal ones in one call."""
    answered = {max(SHORT), min(MEDIUM)}
    alone = []
    for passage in asked:
        wanted = passage.group == "long" or (passage.group != "text" and len(passage.prompt) in answered)
        alone += ours.answer([passage], count=count, ends=ends) if wanted else [passage]
    medium = next(passage.prompt for passage in asked if passage.group == "medium")
    pair = [Passage("pair", medium[::-1][:length]) for length in PAIR]
    return Decoded(tuple(alone), tuple(ours.answer(pair, count=count, ends=ends)))


def distance(ours: Logits, theirs: Logits) -> float:
    """The largest difference, in standard deviations of the second."""
    return float(np.abs(ours - theirs).max() / theirs.std())


def _logits(decoded: Decoded, ours: Sequence[Logits], theirs: Sequence[Logits]) -> Iterator[Check]:
    figures: dict[str, list[float]] = {}
    for passage, mine, original in zip(decoded.all, ours, theirs, strict=True):
        figures.setdefault(passage.group, []).append(distance(mine, original))
    for group in ("short", "medium", "long", "text"):
        longest = max(len(passage.ids) for passage in decoded.all if passage.group == group)
        yield Check(f"logits, {group}", worst(figures[group]), "at most", LOGITS, note=f"{longest} tokens")


def worst(figures: Iterable[float]) -> float:
    """The largest; NaN where one is, which Python's own max may pass over."""
    return float(np.max(list(figures)))


def _greedy(decoded: Decoded, theirs: Sequence[Logits]) -> Iterator[Check]:
    """How many of our tokens are the best that the source has at their place, ties aside."""
    for name, passages in (("greedy tokens", decoded.alone), ("greedy tokens of two together", decoded.pair)):
        agreed = []
        for passage, logits in zip(decoded.all, theirs, strict=True):
            if passage in passages and passage.said:
                before = logits[-len(passage.said) - 1 : -1]
                agreed += list(_as_good(before, np.array(passage.said)))
        yield Check(name, float(np.mean(agreed)), "at least", 1.0, note=f"{len(agreed)} tokens")


def _as_good(logits: Logits, chosen: Any) -> Any:
    return _regret(logits, chosen) <= TIE * logits.std()


def _as_likely(logits: Logits, chosen: Any) -> Any:
    return _regret(logits, chosen) <= -np.log(LIKELY)


def _regret(logits: Logits, chosen: Any) -> Any:
    """By how much each chosen token's logit is below the best."""
    return logits.max(axis=-1) - np.take_along_axis(logits, chosen[:, None], -1)[:, 0]


def _stops(decoded: Decoded, declared: Ids) -> Check:
    """Whether each answer ends at the first token that the source declares an end, and nowhere else."""
    wrong = 0
    for passage in decoded.all:
        first = next((at for at, token in enumerate(passage.said) if token in declared), len(passage.said))
        wrong += passage.stopped != first
    return Check("answers that end elsewhere", wrong, "at most", 0)


def _losses(
    variant: str,
    decoded: Decoded,
    stored: Sequence[Logits],
    served: Sequence[Logits],
    whole: Sequence[Logits],
) -> Iterator[Check]:
    """Over the text, and over what was said. What the weights lose is the same on every machine, and has limits. What
    this machine's arithmetic loses with them is told: processors without VNNI cut off large sums of int8, which costs
    narrow models much and wide ones little, and none of it on the machine that may serve it."""
    kind = variant.partition("_")[0]
    yield Check("perplexity drift", _drift(decoded, stored, whole), "at most", DRIFT[kind])
    yield Check("same best token", _agreement(decoded, stored, whole), "at least", AGREEMENT[kind])
    here = _drift(decoded, served, whole)
    note = (
        ""
        if here <= DRIFT[kind]
        else "this processor loses more with it than the weights do: measure it with bench"
    )
    yield Check("perplexity drift as served here", here, "told", DRIFT[kind], note=note)


def _drift(decoded: Decoded, ours: Sequence[Logits], whole: Sequence[Logits]) -> float:
    pairs = _parts(decoded, ours, whole)
    return float(np.expm1(np.concatenate([_divergence(mine, original) for mine, original in pairs]).mean()))


def _agreement(decoded: Decoded, ours: Sequence[Logits], whole: Sequence[Logits]) -> float:
    pairs = _parts(decoded, ours, whole)
    agreed = [_as_likely(original, mine.argmax(axis=-1)) for mine, original in pairs]
    return float(np.concatenate(agreed).mean())


def _parts(
    decoded: Decoded, ours: Sequence[Logits], theirs: Sequence[Logits]
) -> Iterator[tuple[Logits, Logits]]:
    for passage, mine, original in zip(decoded.all, ours, theirs, strict=True):
        if passage.group == "text":
            yield mine, original
        elif passage.said:
            at = slice(-len(passage.said) - 1, -1)
            yield mine[at], original[at]


def _divergence(ours: Logits, theirs: Logits) -> Any:
    """KL at each position: the log of how much larger the variant's perplexity is on text that the source writes."""
    mine, original = (_log_softmax(logits.astype(np.float64)) for logits in (ours, theirs))
    return (np.exp(original) * (original - mine)).sum(axis=-1)


def _log_softmax(logits: Any) -> Any:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _same_ends(declared: Iterable[int], ends: Iterable[int]) -> Check:
    different = set(declared) ^ set(ends)
    note = f"{', '.join(map(str, sorted(different)))} on one side only" if different else ""
    return Check("end tokens that differ", len(different), "at most", 0, note=note)
