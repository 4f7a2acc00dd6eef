"""How one model reads a conversation: turns -> chat template -> token ids, as transformers' apply_chat_template does.

Knows the model folder's tokenizer and template. Imports neither transformers nor CTranslate2: the bot may use it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from inference import library
from inference.marks import Marks, written
from inference.special import Encoder, Literals, usable

Role = Literal["system", "user", "assistant"]

# Two questions whose first tokens have nothing in common, in any vocabulary.
UNLIKE = ("a", "\N{CJK UNIFIED IDEOGRAPH-4E00}")
SYSTEM_PROMPTS = 64  # remembered with their beginnings: a house's personas, and some of its API clients'


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    content: str


class ChatError(ValueError):
    """The folder has no usable template or tokenizer, or the template refuses this conversation; says which."""


class Chat:
    """One model's way to read a conversation. Immutable once loaded; any number of threads may use it.

    People's text never forms a special token. Each literal of one inside a content is broken with a mark before
    rendering; in the rendered prompt only unbroken literals, the template's own, are special. They are handed to a
    private copy of the tokenizer that knows its special tokens by new names no text can hold, so everything else
    (normalising, spaces around special tokens, the first word's mark) happens exactly as the tokenizer does it.
    Some templates mark turns with plain text, [INST] for one: where a person writes it, it is spelt "[INST ]".
    """

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        template: str,
        variables: dict[str, str],
        context_length: int,
        end_token_ids: tuple[int, ...],
    ) -> None:
        self.tokenizer = tokenizer
        self.context_length = context_length  # tokens, prompt and answer together
        self.end_token_ids = end_token_ids
        self._variables = variables
        self._template = _compile(template)
        added = tokenizer.get_added_tokens_decoder()
        special = {t.content for i, t in added.items() if t.special or i in end_token_ids}
        # <think> and <tool_call> are often no special tokens; where the template writes them they mean something.
        named = {t.content for t in added.values() if t.content.strip() and t.content in template}
        self._special = Literals(special)
        self._control = Literals(special | named)
        self._marks = Marks(written(self._render, self._control))
        self._encoder = Encoder(tokenizer, control=special | named)
        self._beginnings = lru_cache(SYSTEM_PROMPTS)(self._beginning)

    @classmethod
    def load(cls, folder: Path) -> "Chat":
        """Reads the tokenizer and template of a model folder. Raises ChatError, or library.ModelIncomplete."""
        config = library.read_json(folder / "tokenizer_config.json")
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises the bare class
            raise ChatError(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        return cls(
            tokenizer=tokenizer,
            template=_read_template(folder, config),
            variables=_special_tokens(config),
            context_length=library.context_length(folder),
            end_token_ids=library.end_token_ids(folder, token_id=tokenizer.token_to_id),
        )

    def prompt(self, turns: Sequence[Turn]) -> tuple[int, ...]:
        """The ids of the whole conversation, ending where the model's answer begins. Any length: the context is
        checked by the engine. Raises ChatError where the template refuses the turns (roles out of order, none)."""
        if not turns:
            raise ChatError("a conversation needs at least one turn")
        try:
            text = self._render([(turn.role, self._broken(turn)) for turn in turns])
        except Exception as error:  # a template is a program: it can raise anything
            raise ChatError(f"the chat template refuses this conversation: {error}") from error
        return self._encoder.encode(text)

    def beginning(self, system: str) -> tuple[int, ...]:
        """The ids with which every conversation with this system prompt ("" for none) begins, whatever is asked."""
        return self._beginnings(system, datetime.now().date())  # noqa: DTZ005 (templates write today's date)

    def _beginning(self, system: str, day: date) -> tuple[int, ...]:
        """What two conversations have in common: templates put the system prompt where they like, and a token may
        reach over its end."""
        head = (Turn("system", system),) if system else ()
        first, second = (self.prompt((*head, Turn("user", question))) for question in UNLIKE)
        pairs = zip(first, second, strict=False)
        return tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def count(self, text: str) -> int:
        """Tokens of plain text, without any template around it."""
        return len(self._encoder.encode(self._control.broken(self._marks.parted(usable(text)))))

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The ids as the token strings that CTranslate2 takes. Raises ValueError for an id there is no token for."""
        strings = []
        for token_id in ids:
            string = self.tokenizer.id_to_token(token_id)
            if string is None:
                raise ValueError(f"no token has the id {token_id}")
            strings.append(string)
        return strings

    def _broken(self, turn: Turn) -> str:
        # A template may look for <think> in the model's own earlier answers, to leave it out: let it find it there.
        answer = turn.role == "assistant"
        literals = self._special if answer else self._control
        return literals.broken(self._marks.parted(usable(turn.content), answer=answer))

    def _render(self, messages: Sequence[tuple[str, str]]) -> str:
        # tools and documents are there and none, as transformers passes them: templates test `is none`.
        text: str = self._template.render(
            messages=[{"role": role, "content": content} for role, content in messages],
            tools=None,
            documents=None,
            add_generation_prompt=True,
            **self._variables,
        )
        return text


def _read_template(folder: Path, config: dict[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):  # several, by name
        template = next((t["template"] for t in template if t.get("name") == "default"), None)
    if not isinstance(template, str):
        raise ChatError(
            f"{folder} has no chat template: add chat_template.jinja, copied from the original model"
        )
    return template


def _special_tokens(config: dict[str, Any]) -> dict[str, str]:
    """bos_token, eos_token and their like, which templates write out."""
    tokens = {}
    for key, value in config.items():
        text = value.get("content") if isinstance(value, dict) else value
        if key.endswith("_token") and isinstance(text, str):
            tokens[key] = text
    return tokens


class _Generation(Extension):
    """{% generation %}: marks the answers for training in some templates. Here it renders what it holds."""

    tags = {"generation"}  # noqa: RUF012 (jinja2's own way to name a tag)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _compile(template: str) -> Any:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    try:
        return environment.from_string(template)
    except TemplateError as error:
        raise ChatError(f"the chat template is broken: {error}") from error


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    # jinja2's own escapes <, > and & for HTML
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _strftime_now(layout: str) -> str:
    return datetime.now().strftime(layout)  # noqa: DTZ005 (as transformers: the machine's own date)
