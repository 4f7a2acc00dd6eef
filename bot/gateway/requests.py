"""What a chat completion request asks for, read strictly into one frozen value.

Knows OpenAI's parameters: which we honour, within what limits, and which are refused by name (`unsupported`).
Whether the model is there and the conversation fits is asked later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.gateway.body import path, read_model
from bot.gateway.errors import BadRequest
from bot.gateway.unsupported import refuse_message_fields, refuse_options
from inference.chat import Role, Turn
from moderation import TextRefused, clean

TEMPERATURE = 1.0  # OpenAI's default
TOP_K = 64  # CTranslate2 is greedy without a top_k, and its GPU kernels choose among 64 at most
STOPS = 4  # OpenAI's limit
MESSAGES = 2_048  # OpenAI's limit

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # OpenAI's newer name for it
    "user": "user",
    "assistant": "assistant",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One request. `max_tokens` None: as many as fit; temperature 0 is greedy."""

    model: str
    turns: tuple[Turn, ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    temperature: float
    top_k: int
    top_p: float
    min_tokens: int
    ignore_eos: bool
    repetition_penalty: float
    stop: tuple[str, ...]


def parse(body: dict[str, Any]) -> Completion:
    """The request in a JSON object. Raises BadRequest naming the first parameter that is wrong or not supported."""
    given = {name: value for name, value in body.items() if value is not None}  # null says nothing
    asked = read_model(Body, given)
    refuse_options(asked.model_extra or {})
    options = asked.stream_options
    if options and not asked.stream:
        raise BadRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    if options:
        refuse_options(options.model_extra or {}, inside="stream_options.")
    max_tokens = _max_tokens(asked)
    if asked.min_tokens > (max_tokens or asked.min_tokens):
        raise BadRequest(
            f"Invalid 'min_tokens': {asked.min_tokens} is more than max_tokens, {max_tokens}.",
            code="invalid_value",
            param="min_tokens",
        )
    return Completion(
        model=asked.model,
        turns=_turns(asked.messages),
        stream=asked.stream,
        include_usage=bool(options and options.include_usage),
        max_tokens=max_tokens,
        # top_p 0 leaves only the likeliest token: greedy. CTranslate2 has no top_p of 0.
        temperature=asked.temperature if asked.top_p else 0.0,
        top_k=asked.top_k if asked.top_k > 0 else TOP_K,
        top_p=asked.top_p or 1.0,
        min_tokens=asked.min_tokens,
        ignore_eos=asked.ignore_eos,
        repetition_penalty=asked.repetition_penalty,
        stop=tuple(_readable(stop, param="stop") for stop in asked.stop),
    )


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _parts(value: object) -> object:
    """Text alone is a list of one part."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class ContentPart(_Strict):
    """A piece of a message's text."""

    type: Literal["text"]
    text: str


class Message(_Strict):
    """Something said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        list[ContentPart],
        BeforeValidator(_parts, json_schema_input_type=str | list[ContentPart]),
        Field(min_length=1),
    ]


_Stop = Annotated[str, Field(min_length=1)]


class StreamOptions(_Strict):
    """What a stream tells beside the answer."""

    include_usage: bool | None = None


class Body(_Strict):
    """A request for an answer. What asks for something that CTranslate2 cannot do is refused by name."""

    model: Annotated[str, Field(examples=["default"])]
    messages: Annotated[
        list[Message],
        Field(min_length=1, max_length=MESSAGES, examples=[[{"role": "user", "content": "Hello!"}]]),
    ]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = TEMPERATURE
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=-1, le=TOP_K)] = (
        TOP_K  # 0 and -1, vLLM's "no limit", mean the most there is
    )
    min_tokens: Annotated[int, Field(ge=0)] = 0
    ignore_eos: bool = False
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] = 1.0
    stop: Annotated[
        list[_Stop],
        BeforeValidator(_one_or_many, json_schema_input_type=_Stop | list[_Stop]),
        Field(max_length=STOPS),
    ] = []  # pydantic copies defaults


def _max_tokens(asked: Body) -> int | None:
    old, new = asked.max_tokens, asked.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise BadRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            code="invalid_parameter_combination",
            param="max_tokens",
        )
    return old if new is None else new


def _turns(messages: list[Message]) -> tuple[Turn, ...]:
    """System messages in a row become one turn, since most chat templates read only the first."""
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        refuse_message_fields(message.model_extra or {}, at=path(("messages", number)))
        turn = Turn(ROLES[message.role], _text(message, at=path(("messages", number, "content"))))
        if turns and turn.role == "system" == turns[-1].role:
            turn = Turn("system", f"{turns.pop().content}\n\n{turn.content}")
        turns.append(turn)
    return tuple(turns)


def _text(message: Message, *, at: str) -> str:
    for part in message.content:
        refuse_message_fields(part.model_extra or {}, at=at)
    return _readable("".join(part.text for part in message.content), param=at)


def _readable(text: str, *, param: str) -> str:
    try:
        return clean(text)
    except TextRefused as error:
        what = "unpaired surrogates" if error.problem == "surrogate" else "control characters"
        raise BadRequest(
            f"Invalid '{param}': the text holds {what}. Remove them and send it again.",
            code="invalid_value",
            param=param,
        ) from None
