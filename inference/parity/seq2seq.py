"""The gate for encoder-decoders: the converted model on CTranslate2 beside its source on transformers.

As for decoders two questions are kept apart: whether it was converted right (float32 on both sides, over the weights as
the variant stores them), and what the variant loses as it is served. Texts of unequal lengths are answered in one call
on our side and one by one on the other. Needs the extra `train`.
"""

from __future__ import annotations

import gc
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.convert import source as sources
from inference.families.seq2seq import target_vocabulary
from inference.library import read_json
from inference.parity import Check, Report
from inference.parity.chat import AGREEMENT, DRIFT, LOGITS, TIE, distance
from inference.parity.sides import Original
from inference.parity.words import LINES, TEXT, read_otherwise
from inference.threads import cores

Ids = tuple[int, ...]
Logits = NDArray[np.float32]

LENGTHS = (1, 4, 9, 33)  # tokens of the texts, with the end's to come
LONGEST = 1024  # beyond, nothing new begins in any family
SAID = 24  # greedy tokens to each text


@dataclass(frozen=True, slots=True)
class _Answers:
    """To each text what our side says behind the forced `lead` when nothing ends it: to all in one call, and to each
    alone; how much of it there is where end tokens end it; and the logits of every place, the lead's included."""

    lead: Ids
    said: list[Ids]
    alone: list[Ids]
    ended: list[int]
    logits: list[Logits]


def compare(
    *, source: Path, made: Path, variant: str, context_length: int, end_token_ids: Sequence[int]
) -> Report:
    """`made` against `source`. Texts are drawn with a fixed seed: the same two folders give the same figures."""
    began = time.monotonic()
    reference = f"transformers {metadata.version('transformers')}, float32, eager attention, CPU"
    tokenizer = sources.load_tokenizer(source)
    declared = sources.end_token_ids(source, sources.configuration(source), tokenizer=tokenizer)
    checks = [*_words(made, tokenizer), _ends(declared, end_token_ids)]
    known = len(json.loads(target_vocabulary(made).read_text(encoding="utf-8")))
    texts = texts_for(tokenizer, limit=min(context_length, LONGEST), vocabulary=known)
    count = min(SAID, context_length - 2)
    try:
        with _Made.loaded(made, compute_type="float32") as ours:
            answers = ours.answers(texts, count=count, ends=end_token_ids)
        served = answers.logits
        if variant != "float32":
            with _Made.loaded(made, compute_type="default") as ours:
                served = ours.logits(texts, answers.said)
    except (RuntimeError, ValueError) as error:
        checks.append(Check("errors of CTranslate2", 1, "at most", 0, note=str(error)[:300]))
        return Report(variant, reference, tuple(checks))
    with sources.quietly():
        whole, exact = _theirs(source, variant, texts, [answers.lead + said for said in answers.said])
    checks += _checks(variant, answers, declared, served=served, whole=whole, exact=exact)
    return Report(variant, reference, tuple(checks), seconds=round(time.monotonic() - began, 1))


def texts_for(tokenizer: Any, *, limit: int, vocabulary: int) -> list[Ids]:
    """Tokens drawn by chance, and a text; each with what the tokenizer puts around it, one as long as can be."""
    special = set(tokenizer.all_special_ids)
    ids = [i for _, i in sorted(tokenizer.get_vocab().items()) if i not in special and i < vocabulary]
    empty = tokenizer("")["input_ids"]
    inside = len(empty) - sum(i == tokenizer.eos_token_id for i in empty)
    before, after = empty[:inside], empty[inside:]
    draw = np.random.default_rng(len(ids))
    lengths = [length for length in (*LENGTHS, limit - len(empty)) if 0 < length <= limit - len(empty)]
    drawn = [(*before, *map(int, draw.choice(ids, length)), *after) for length in lengths]
    return [*drawn, tuple(tokenizer(TEXT, truncation=True, max_length=limit)["input_ids"])]


# -- the two sides ---------------------------------------------------------------------------------------------


class _Made:
    """A converted folder in CTranslate2, one compute type."""

    def __init__(self, translator: Any, folder: Path) -> None:
        self._translator = translator
        self._tokens: list[str] = json.loads(target_vocabulary(folder).read_text(encoding="utf-8"))
        self._source = self._tokens
        if not (folder / "shared_vocabulary.json").is_file():
            self._source = json.loads((folder / "source_vocabulary.json").read_text(encoding="utf-8"))
        forced = read_json(folder / "generation_config.json").get("forced_bos_token_id")
        self.lead: Ids = () if forced is None else (forced,)

    @classmethod
    @contextmanager
    def loaded(cls, folder: Path, *, compute_type: str) -> Iterator[_Made]:
        import ctranslate2

        level = ctranslate2.get_log_level()
        ctranslate2.set_log_level(logging.ERROR)  # a CPU without float16 is told about at every load
        try:
            translator = ctranslate2.Translator(str(folder), compute_type=compute_type, intra_threads=cores())
            yield cls(translator, folder)
            translator.unload_model()
        finally:
            ctranslate2.set_log_level(level)

    def answers(self, texts: Sequence[Ids], *, count: int, ends: Sequence[int]) -> _Answers:
        said = self._say(texts, count, [])
        alone = [self._say([text], count, [])[0] for text in texts]
        ended = [len(answer) for answer in self._say(texts, count, [*ends])] if ends else [count] * len(texts)
        return _Answers(self.lead, said, alone, ended, self.logits(texts, said))

    def logits(self, texts: Sequence[Ids], said: Sequence[Ids]) -> list[Logits]:
        """Of each text alone: only the first row of a batch has any."""
        return [self._logits(text, answer) for text, answer in zip(texts, said, strict=True)]

    def _say(self, texts: Sequence[Ids], count: int, ends: list[int]) -> list[Ids]:
        results = self._translate(
            texts, [self.lead] * len(texts), max_decoding_length=count + len(self.lead), end_token=ends
        )
        index = {token: i for i, token in enumerate(self._tokens)}
        return [tuple(index[t] for t in result.hypotheses[0][len(self.lead) :]) for result in results]

    def _logits(self, text: Ids, said: Ids) -> Logits:
        begun = self.lead + said
        (result,) = self._translate(
            [text], [begun], max_decoding_length=len(begun), end_token=[], return_logits_vocab=True
        )
        return np.stack([np.array(step, dtype=np.float32).ravel() for step in result.logits[0]])

    def _translate(self, texts: Sequence[Ids], begun: Sequence[Ids], **options: Any) -> Any:
        return self._translator.translate_batch(
            [[self._source[i] for i in text] for text in texts],
            target_prefix=[[self._tokens[i] for i in ids] for ids in begun],
            beam_size=1,
            max_input_length=0,
            min_decoding_length=0,
            **options,
        )


def _theirs(
    source: Path, variant: str, texts: Sequence[Ids], said: Sequence[Ids]
) -> tuple[list[Logits], list[Logits]]:
    """The source's logits for these answers, as it is, and with its weights rounded as the variant stores them."""
    import torch
    from transformers import AutoModelForSeq2SeqLM

    with torch.inference_mode():
        model = AutoModelForSeq2SeqLM.from_pretrained(
            source,
            dtype=torch.float32,
            attn_implementation="eager",
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
        ).eval()
        whole = _logits_of(model, texts, said)
        exact = whole
        if variant != "float32":
            _round(model, variant)
            exact = _logits_of(model, texts, said)
    del model
    gc.collect()
    return whole, exact


def _logits_of(model: Any, texts: Sequence[Ids], said: Sequence[Ids]) -> list[Logits]:
    import torch

    start = model.generation_config.decoder_start_token_id
    start = model.config.decoder_start_token_id if start is None else start
    found = []
    for text, answer in zip(texts, said, strict=True):
        begun = torch.tensor([[start, *answer[:-1]]])
        found.append(
            model(input_ids=torch.tensor([text]), decoder_input_ids=begun, use_cache=False).logits[0].numpy()
        )
    return found


def _round(model: Any, variant: str) -> None:
    """Parameters, and what a model keeps beside them: BART's bias of the logits, M2M100's waves."""
    import torch

    Original(model).round_like(variant)
    rest = variant.removeprefix("int8").removeprefix("_") or "float32"
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.copy_(buffer.to(getattr(torch, rest)).float())


# -- figures ---------------------------------------------------------------------------------------------------


def _words(made: Path, tokenizer: Any) -> Iterator[Check]:
    """Every token at its id, every text read and written as transformers does, with what stands around it."""
    from tokenizers import Tokenizer

    listed = json.loads(target_vocabulary(made).read_text(encoding="utf-8"))
    moved = [token for token, i in tokenizer.get_vocab().items() if i < len(listed) and listed[i] != token]
    yield Check("tokens at another id", len(moved), "at most", 0, note=", ".join(map(repr, moved[:3])))
    yield Check("texts read otherwise", len(read_otherwise(made, tokenizer)), "at most", 0)
    mine = Tokenizer.from_file(str(made / "tokenizer.json"))
    wrong = [line for line in LINES if mine.encode(line).ids != tokenizer(line)["input_ids"]]
    yield Check("texts ended otherwise", len(wrong), "at most", 0)


def _ends(declared: Sequence[int], ends: Sequence[int]) -> Check:
    return Check("end tokens that differ", len(set(declared) ^ set(ends)), "at most", 0)


def _checks(
    variant: str,
    answers: _Answers,
    declared: Sequence[int],
    *,
    served: list[Logits],
    whole: list[Logits],
    exact: list[Logits],
) -> Iterator[Check]:
    width = answers.logits[0].shape[-1]
    exact = [logits[:, :width] for logits in exact]
    whole = [logits[:, :width] for logits in whole]
    errors = [distance(*pair) for pair in zip(answers.logits, exact, strict=True)]
    yield Check("logits", float(np.max(errors)), "at most", LOGITS)  # of a NaN among them it makes a NaN
    behind = [logits[len(answers.lead) :] for logits in exact]
    agreed = [_as_good(theirs, np.array(said)) for theirs, said in zip(behind, answers.said, strict=True)]
    yield Check("greedy tokens", float(np.concatenate(agreed).mean()), "at least", 1.0)
    parted = sum(map(_part, answers.said, answers.alone, behind))
    yield Check("answers that differ alone", parted, "at most", 0)
    firsts = [_first(said, declared) for said in answers.said]
    wrong = sum(first != ended for first, ended in zip(firsts, answers.ended, strict=True))
    yield Check("answers that end elsewhere", wrong, "at most", 0)
    if variant != "float32":
        kind = variant.partition("_")[0]
        drift = np.concatenate([_divergence(*pair) for pair in zip(served, whole, strict=True)])
        best = [_as_good(theirs, ours.argmax(axis=-1)) for ours, theirs in zip(served, whole, strict=True)]
        yield Check("perplexity drift", float(np.expm1(drift.mean())), "at most", DRIFT[kind])
        yield Check("same best token", float(np.concatenate(best).mean()), "at least", AGREEMENT[kind])


def _as_good(logits: Logits, chosen: Any) -> Any:
    """Of each token whether the source likes no other better, ties aside."""
    best = logits.max(axis=-1)
    return best - np.take_along_axis(logits, chosen[:, None], -1)[:, 0] <= TIE * logits.std()


def _part(together: Ids, alone: Ids, theirs: Logits) -> bool:
    """Whether two answers to one text go apart, and not at a tie."""
    places = zip(together, alone, theirs, strict=True)
    apart = next(((two, logits) for one, two, logits in places if one != two), None)
    return apart is not None and not bool(_as_good(apart[1][None], np.array([apart[0]]))[0])


def _first(said: Ids, ends: Sequence[int]) -> int:
    """Where an answer ends that goes on without end tokens."""
    return next((at for at, token in enumerate(said) if token in ends), len(said))


def _divergence(ours: Logits, theirs: Logits) -> Any:
    """KL at each place: the log of how much larger the variant's perplexity is on what the source would write."""
    mine, original = (_log_softmax(logits.astype(np.float64)) for logits in (ours, theirs))
    return (np.exp(original) * (original - mine)).sum(axis=-1)


def _log_softmax(logits: Any) -> Any:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
