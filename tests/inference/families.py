"""Tokenizers and templates of the model families that people run, built here since no hub can be asked.

Each is a real tokenizer class of transformers with a small vocabulary, and the family's template as published
(tools and vision left out). transformers' apply_chat_template over them is what `inference.chat` is compared with.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import GemmaTokenizer, LlamaTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

WORDS = [
    "Hello",
    "hello",
    "there",
    "the",
    "user",
    "assistant",
    "system",
    "model",
    "you",
    "are",
    "think",
    "end",
    "im",
]

CHATML = """{%- if messages[0]['role'] == 'system' -%}
{{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
{%- else %}
{{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""  # noqa: E501 (as published)

THINKING = """{%- set ns = namespace(last=-1) %}
{%- for message in messages %}
    {%- if message.role == "user" %}{%- set ns.last = loop.index0 %}{%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == "assistant" and '</think>' in content %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is not defined or not enable_thinking %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}"""

LLAMA3 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""  # noqa: E501 (as published)

MISTRAL = """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"""  # noqa: E501 (as published)

GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"""  # noqa: E501 (as published)

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{% generation %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""


def _byte_level_words() -> tuple[dict[str, int], list[tuple[str, str]]]:
    names = sorted(pre_tokenizers.ByteLevel.alphabet())
    return _with_words(names, [*WORDS, *(f"Ġ{word}" for word in WORDS)])


def _sentencepiece_words(specials: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    letters = [chr(code) for code in range(33, 127)] + ["▁", "\n", "é", "你", "好"]
    names = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    return _with_words(names, [f"▁{word}" for word in WORDS] + ["▁▁"])


def _with_words(names: list[str], words: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        for end in range(1, len(word)):
            merges[word[:end], word[end]] = None
    grown = [first + second for first, second in merges]
    return {name: i for i, name in enumerate(dict.fromkeys([*names, *grown]))}, [*merges]


def _special(*texts: str) -> list[AddedToken]:
    return [AddedToken(text, special=True, normalized=False) for text in texts]


def qwen() -> Any:
    vocabulary, merges = _byte_level_words()
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges, eos_token="<|im_end|>")
    tokenizer.add_tokens(_special("<|im_start|>"))
    tokenizer.chat_template = CHATML
    return tokenizer


def qwen_thinking() -> Any:
    tokenizer = qwen()
    tokenizer.add_tokens(
        [AddedToken(text, special=False, normalized=False) for text in ("<think>", "</think>")]
    )
    tokenizer.chat_template = THINKING
    return tokenizer


def llama3() -> Any:
    vocabulary, merges = _byte_level_words()
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(
        _special("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"
    )
    tokenizer.chat_template = LLAMA3
    return tokenizer


def mistral() -> Any:
    """Metaspace, as SentencePiece models are read today."""
    vocabulary, merges = _sentencepiece_words(["<unk>", "<s>", "</s>"])
    tokenizer = LlamaTokenizer(vocab=vocabulary, merges=merges)
    tokenizer.chat_template = MISTRAL
    return tokenizer


def zephyr() -> Any:
    """The older reading of SentencePiece: a normalizer writes the word marks, also after a special token."""
    vocabulary, merges = _sentencepiece_words(["<unk>", "<s>", "</s>"])
    inner = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    tokenizer.chat_template = ZEPHYR
    return tokenizer


def gemma() -> Any:
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    vocabulary, merges = _sentencepiece_words(marks)
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=merges)
    tokenizer.add_tokens(_special("<start_of_turn>", "<end_of_turn>"))
    tokenizer.chat_template = GEMMA
    return tokenizer


def unigram() -> Any:
    """A vocabulary that holds the special tokens as words too, behind a normalizer that turns look-alikes into them,
    with special tokens that swallow the spaces beside them."""
    marks = ["<unk>", "<s>", "</s>", "<|user|>", "<|end|>"]
    letters = [chr(code) for code in range(33, 127)] + ["▁", "\n", "é", "你", "好"]
    pieces = [(mark, 0.0) for mark in marks]
    pieces += [(letter, -8.0) for letter in letters] + [(f"▁{word}", -3.0) for word in WORDS]
    inner = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    inner.normalizer = normalizers.NFKC()
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    inner.decoder = decoders.Metaspace()
    opening = AddedToken("<|user|>", special=True, normalized=False, lstrip=True)
    closing = AddedToken("<|end|>", special=True, normalized=False, rstrip=True)
    inner.add_special_tokens([*_special("<s>", "</s>"), opening, closing])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %} <|user|> {{ m['content'] }}<|end|> {% endfor %}<|user|>"
    )
    return tokenizer


FAMILIES: dict[str, Callable[[], Any]] = {
    "qwen": qwen,
    "qwen_thinking": qwen_thinking,
    "llama3": llama3,
    "mistral": mistral,
    "zephyr": zephyr,
    "gemma": gemma,
    "unigram": unigram,
}
WITHOUT_SYSTEM = {"mistral", "gemma"}


def save(tokenizer: Any, folder: Path) -> Path:
    """The files of a model folder that a Chat reads, as transformers writes them."""
    tokenizer.save_pretrained(folder)
    (folder / "frontdesk.json").write_text(json.dumps({"context_length": 2048}))
    return folder
