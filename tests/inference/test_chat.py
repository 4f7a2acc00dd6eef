"""A Chat reads a conversation exactly as transformers does, and people's text is never more than text."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.chat import Chat, ChatError, Turn
from tests.inference import families

TALKS = [
    [("user", "Hello there")],
    [("system", "You are the model."), ("user", "Hello")],
    [("user", "Hello"), ("assistant", "hello there"), ("user", " and  the end \n")],
    [("user", "line\nline\n\n\tindented"), ("assistant", "<think>\nhm\n</think>\n\nYes."), ("user", "so?")],
    [
        ("user", "你好，世界! 👩‍👩‍👧 é e\u0301 \u200b \u202e <b>&amp;</b> {{ 7*7 }} {% if %}"),
        ("assistant", ""),
        ("user", ""),
    ],
    [("user", "x" * 300 + "  " * 40)],
]


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """Each family's transformers tokenizer, and the Chat over the folder that it saved."""
    made = {}
    for name, build in families.FAMILIES.items():
        tokenizer = build()
        folder = families.save(tokenizer, tmp_path_factory.mktemp(name))
        made[name] = (tokenizer, Chat.load(folder))
    return made


def reference(tokenizer, talk):
    messages = [{"role": role, "content": content} for role, content in talk]
    encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True)
    return tuple(encoded["input_ids"])


def turns(talk):
    return [Turn(role, content) for role, content in talk]


def fits(name, talk):
    return name not in families.WITHOUT_SYSTEM or talk[0][0] != "system"


@pytest.mark.parametrize("name", families.FAMILIES)
def test_a_prompt_equals_what_transformers_makes_of_the_conversation(readers, name):
    tokenizer, chat = readers[name]
    for talk in TALKS:
        if fits(name, talk):
            assert chat.prompt(turns(talk)) == reference(tokenizer, talk), talk


CALM = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="<[\ufdd0\ufdd1"), max_size=30
)


@pytest.mark.parametrize("name", families.FAMILIES)
@given(questions=st.lists(CALM, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_text_without_a_special_token_is_read_as_transformers_reads_it(readers, name, questions):
    tokenizer, chat = readers[name]
    talk = [("user", questions[0])]
    for question in questions[1:]:
        talk += [("assistant", "hello"), ("user", question)]
    assert chat.prompt(turns(talk)) == reference(tokenizer, talk)


@pytest.mark.parametrize("name", families.FAMILIES)
@given(system=CALM, questions=st.lists(CALM, min_size=1, max_size=2))
@settings(max_examples=40, deadline=None)
def test_every_conversation_with_one_system_prompt_begins_alike(readers, name, system, questions):
    _, chat = readers[name]
    system = "" if name in families.WITHOUT_SYSTEM else system
    beginning = chat.beginning(system)
    head = [("system", system)] if system else []
    for question in questions:
        ids = chat.prompt(turns([*head, ("user", question), ("assistant", "hello"), ("user", "so?")]))
        assert ids[: len(beginning)] == beginning


def test_what_everybody_shares_ends_where_the_question_begins(readers):
    _, chat = readers["qwen"]
    text = chat.tokenizer.decode(chat.beginning("You are the model."), skip_special_tokens=False)
    assert text.endswith("<|im_end|>\n<|im_start|>user\n")
    assert "You are the model." in text


FRAGMENTS = [
    "<|im_start|>", "<|im_end|>", "<|im_", "end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<s>", "</s>",
    "<unk>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<think>", "</think>", "[INST]", "<", "|>", ">", "<<", "s>",
    "system\n", "\n", " ", "  ", "▁", "\ufdd0", "\ufdd1", "\ufdd10\ufdd1", "\ufdd12\ufdd1", "\ud800", "\ufffd", "a",
    "Hello", "é", "e\u0301", "你", "<|user|>", "<|end|>", "＜|end|＞", "＜/s＞",
    "＜s＞", "<\u200bs>", "<s\u0000>", "<0x0A>", "<|IM_END|>",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=8).map("".join)


def skeleton(chat, ids):
    """The control tokens of a prompt, but the one that stands for characters a vocabulary lacks."""
    added = chat.tokenizer.get_added_tokens_decoder()
    return [i for i in ids if i in added and added[i].content != "<unk>"]


@pytest.mark.parametrize("name", families.FAMILIES)
@given(first=HOSTILE, second=HOSTILE, third=HOSTILE)
@settings(max_examples=150, deadline=None)
def test_no_text_of_a_person_ever_becomes_a_special_token(readers, name, first, second, third):
    _, chat = readers[name]
    harmless = chat.prompt([Turn("user", "a"), Turn("assistant", "a"), Turn("user", "a")])
    prompt = chat.prompt(
        [Turn("user", first), Turn("assistant", second.replace("think>", "")), Turn("user", third)]
    )
    assert skeleton(chat, prompt) == skeleton(chat, harmless)


@pytest.mark.parametrize("name", ["qwen", "llama3"])
@given(text=HOSTILE)
@settings(max_examples=100, deadline=None)
def test_a_literal_in_a_persons_text_is_still_read_as_what_they_wrote(readers, name, text):
    _, chat = readers[name]
    ids = chat.prompt([Turn("user", text)])
    written = chat.tokenizer.decode(list(ids), skip_special_tokens=False)
    readable = "".join("\ufffd" if c in "\ufdd0\ufdd1" or "\ud800" <= c <= "\udfff" else c for c in text)
    if chat.tokenizer.normalizer is not None:
        readable = chat.tokenizer.normalizer.normalize_str(readable)
    assert readable.strip() in written


@pytest.mark.parametrize("name", families.FAMILIES)
def test_counting_a_text_counts_the_tokens_it_takes_as_text(readers, name):
    _, chat = readers[name]
    text = "Hello there <|im_end|></s><end_of_turn><|eot_id|>"
    assert chat.count("") == 0
    assert chat.count(text) > chat.count("Hello there")
    assert chat.count(text) >= 20  # each literal is spelt out


def test_a_special_token_split_over_two_turns_stays_text(tmp_path):
    tokenizer = families.qwen()
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    chat = Chat.load(families.save(tokenizer, tmp_path))
    ids = chat.prompt([Turn("user", "<|im_"), Turn("user", "start|>")])
    assert tokenizer.convert_tokens_to_ids("<|im_start|>") not in ids
    assert chat.tokenizer.decode(list(ids), skip_special_tokens=False) == "<|im_start|>"


def test_a_template_that_refuses_the_roles_says_so(readers):
    _, chat = readers["mistral"]
    with pytest.raises(ChatError, match="roles must alternate"):
        chat.prompt([Turn("user", "a"), Turn("user", "b")])
    with pytest.raises(ChatError, match="at least one turn"):
        chat.prompt([])


def folder_with(tmp_path, template):
    tokenizer = families.qwen()
    tokenizer.chat_template = template
    return families.save(tokenizer, tmp_path)


SILENT = [
    "{{ messages.__class__ }}",
    "{{ raise_exception.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ self._t }}",
]


@pytest.mark.parametrize(
    "attempt",
    [
        *SILENT,
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ raise_exception.__globals__.values() }}",
        "{{ messages.append(messages[0]) }}",
        "{{ cycler.__init__.__globals__.os.popen('true').read() }}",
        "{{ '{0.__class__.__mro__}'.format(messages) }}",
    ],
)
def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path, attempt):
    chat = Chat.load(folder_with(tmp_path, attempt))
    turns = [Turn("user", "a")]
    if attempt in SILENT:  # an attribute that is kept from a template is as if it were not there
        assert chat.prompt(turns) == ()
        return
    with pytest.raises(ChatError, match="refuses"):
        chat.prompt(turns)


def test_a_broken_template_is_named_when_it_is_loaded(tmp_path):
    with pytest.raises(ChatError, match="broken"):
        Chat.load(folder_with(tmp_path, "{% for m in messages %}"))


def test_a_template_that_stands_in_the_tokenizers_settings_is_found(tmp_path):
    folder = folder_with(tmp_path, "unused")
    (folder / "chat_template.jinja").unlink()
    settings_file = folder / "tokenizer_config.json"
    config = json.loads(settings_file.read_text())
    for template in (
        "one {{ bos }}",
        [{"name": "tools", "template": "no"}, {"name": "default", "template": "one"}],
    ):
        settings_file.write_text(json.dumps(config | {"chat_template": template}))
        assert Chat.load(folder).prompt([Turn("user", "a")]) == Chat.load(folder)._encoder.encode(
            "one " if isinstance(template, str) else "one"
        )
    settings_file.write_text(json.dumps({k: v for k, v in config.items() if k != "chat_template"}))
    with pytest.raises(ChatError, match=r"add chat_template\.jinja"):
        Chat.load(folder)


def test_a_tokenizer_that_cannot_be_read_is_named(tmp_path):
    folder = folder_with(tmp_path, "x")
    Path(folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ChatError, match=r"tokenizer\.json"):
        Chat.load(folder)


def test_ids_become_the_strings_that_ctranslate2_takes_and_unknown_ids_are_named(readers):
    _, chat = readers["qwen"]
    ids = chat.prompt([Turn("user", "Hello")])
    assert "<|im_start|>" in chat.tokens(ids)
    with pytest.raises(ValueError, match="99999"):
        chat.tokens([99999])


def test_the_folder_tells_the_context_and_every_end_token(readers):
    tokenizer, chat = readers["qwen"]
    assert chat.context_length == 2048
    assert chat.end_token_ids == (tokenizer.convert_tokens_to_ids("<|im_end|>"),)


def test_json_in_a_template_is_not_escaped_for_html(tmp_path):
    chat = Chat.load(folder_with(tmp_path, "{{ messages[0].content | tojson }}"))
    ids = chat.prompt([Turn("user", "<b> & 'é'")])
    assert chat.tokenizer.decode(list(ids)) == "\"<b> & 'é'\""
