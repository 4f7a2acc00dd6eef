"""The starter's own byte-level BPE, and how a conversation becomes ids, the answers marked.

Knows the tokenizers library and the chat template's shape. Which conversations there are is not its business.
"""

import random
from collections.abc import Iterator
from functools import lru_cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from inference.training.conversations import Conversation, Conversations

PAD, SYSTEM, USER, ASSISTANT, END = SPECIAL = (
    "<|pad|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
)

VOCABULARY = 4096

# Conversations that the merges are learned from; more change them little.
SAMPLE = 20_000


def train(
    conversations: Conversations, *, seed: int, vocabulary: int = VOCABULARY, sample: int = SAMPLE
) -> Tokenizer:
    """A byte-level BPE learned from generated conversations: any text is some tokens, none is unknown."""
    tokenizer = Tokenizer(models.BPE())
    # A space before every text (the template writes it): a word is one token, wherever it stands.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(conversations, seed=seed, sample=sample), trainer)
    return tokenizer


class Encoder:
    """Conversations as ids, exactly as the chat template and this tokenizer give them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        ids = {token: _id(tokenizer, token) for token in SPECIAL}
        self.pad, self.end = ids[PAD], ids[END]
        self._system, self._user, self._assistant = ids[SYSTEM], ids[USER], ids[ASSISTANT]
        self.answer = lru_cache(maxsize=4096)(self.text)

    def text(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def conversation(self, talk: Conversation, *, cut: int | None = None) -> tuple[list[int], list[bool]]:
        """The ids, and for each whether it belongs to an answer (its end included). `cut` leaves of the last answer
        only so many tokens: which answer it is shows in the first ones, the rest is known by heart sooner."""
        ids: list[int] = []
        answer: list[bool] = []

        def add(new: tuple[int, ...], *, learned: bool) -> None:
            ids.extend(new)
            answer.extend([learned] * len(new))

        if talk.system:
            add((self._system, *self.text(f" {talk.system}"), self.end), learned=False)
        for number, exchange in enumerate(talk.exchanges, start=1):
            question = self.text(f" {exchange.question}")
            add((self._user, *question, self.end, self._assistant), learned=False)
            said = (*self.answer(exchange.answer), self.end)
            add(said[:cut] if number == len(talk.exchanges) else said, learned=True)
        return ids, answer


def _id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"this tokenizer has no {token}: it was not trained by this recipe")
    return found


def _texts(conversations: Conversations, *, seed: int, sample: int) -> Iterator[str]:
    rng = random.Random(seed)  # noqa: S311 (data, no secret)
    answered: dict[str, int] = {}
    for _ in range(sample):
        talk = conversations.draw(rng)
        for exchange in talk.exchanges:
            yield f" {exchange.question}"
            answered[exchange.answer] = answered.get(exchange.answer, 0) + 1
            if answered[exchange.answer] <= 20:  # enough to keep their words whole
                yield exchange.answer
        if talk.system and rng.random() < 0.05:
            yield f" {talk.system}"
