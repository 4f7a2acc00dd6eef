"""Parameters of OpenAI's and vLLM's that change nothing here: taken where their value is neutral, else refused by name.

Knows names, neutral values and reasons. Nothing is ever ignored in silence.
"""

from __future__ import annotations

from typing import Any

from bot.gateway.errors import BadRequest

# Labels of the caller's own, without any effect on the answer at OpenAI either.
LABELS = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})

CANNOT = "The engine cannot do this."
NO_TOOLS = "Tools are not offered: the engine cannot hold a model to a call's form."

# name -> (why it is refused, the values that ask for nothing); null is one for all of them
NEUTRAL: dict[str, tuple[str, tuple[Any, ...]]] = {
    "n": ("One answer a request: send the request several times.", (1,)),
    "best_of": ("One answer a request.", (1,)),
    "seed": ("The engine has no seed for one request. With temperature 0 answers repeat.", ()),
    "logit_bias": (CANNOT, ({},)),
    "logprobs": (CANNOT, (False,)),
    "top_logprobs": (CANNOT, (0,)),
    "prompt_logprobs": (CANNOT, (0,)),
    "presence_penalty": ("Use repetition_penalty.", (0,)),
    "frequency_penalty": ("Use repetition_penalty.", (0,)),
    "min_p": ("Use top_k or top_p.", (0,)),
    "typical_p": ("Use top_k or top_p.", (1,)),
    "length_penalty": (CANNOT, (1,)),
    "use_beam_search": ("A stream has one beam.", (False,)),
    "response_format": (
        "Answers are plain text: the engine cannot hold a model to a schema.",
        ({"type": "text"}, "text"),
    ),
    "tools": (NO_TOOLS, ([],)),
    "tool_choice": (NO_TOOLS, ("auto", "none")),
    "parallel_tool_calls": (NO_TOOLS, (True, False)),  # without tools both mean nothing
    "functions": (NO_TOOLS, ([],)),
    "function_call": (NO_TOOLS, ("auto", "none")),
    "modalities": ("Answers are text.", (["text"], [])),
    "audio": ("Answers are text.", ()),
    "prediction": (CANNOT, ()),
    "reasoning_effort": ("Reasoning cannot be turned up or down here.", ("none",)),
    "verbosity": ("Ask for it in the system message.", ("medium",)),
    "web_search_options": ("The model has no web search.", ()),
    "service_tier": ("There is one tier.", ("auto", "default")),
    "store": ("Completions are not stored.", (False,)),
    "echo": (CANNOT, (False,)),
    "stop_token_ids": ("Use stop.", ([],)),
    "bad_words": (CANNOT, ([],)),
    "skip_special_tokens": (CANNOT, (True,)),
    "include_stop_str_in_output": (CANNOT, (False,)),
    "add_generation_prompt": (CANNOT, (True,)),
    "chat_template": ("The model's own template is used.", ()),
    "chat_template_kwargs": ("The model's own template is used.", ({},)),
    "stream_options.include_obfuscation": ("Streams carry no padding.", (False,)),
    "stream_options.continuous_usage_stats": ("Usage comes at the end.", (False,)),
}


def refuse_options(given: dict[str, Any], *, inside: str = "") -> None:
    """Raises BadRequest for the first parameter that asks for something. A null asks for nothing."""
    for name, value in given.items():
        param = f"{inside}{name}"
        if value is None or param in LABELS:
            continue
        if param not in NEUTRAL:
            raise BadRequest(
                f"Unknown parameter: '{param[:80]}'.", code="unknown_parameter", param=param[:80]
            )
        reason, neutral = NEUTRAL[param]
        if value not in neutral:
            raise BadRequest(
                f"Unsupported parameter: '{param}' is not supported with this value. {reason}",
                code="unsupported_parameter",
                param=param,
            )


def refuse_message_fields(given: dict[str, Any], *, at: str) -> None:
    """The same inside a message, where clients send back our own answers: null and empty fields ask for nothing."""
    for name, value in given.items():
        if value not in (None, [], {}, ""):
            param = f"{at}.{name[:80]}"
            raise BadRequest(
                f"Unsupported parameter: '{param}' is not supported. A message has a role and text content.",
                code="unsupported_parameter",
                param=param,
            )
