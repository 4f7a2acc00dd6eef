"""Whether Slack would take blocks and views: their kinds, required fields, lengths and counts.

Knows Block Kit as far as a chat bot uses it; a kind that it does not know is refused. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Item = Mapping[str, Any]
PLAIN, EITHER = frozenset({"plain_text"}), frozenset({"plain_text", "mrkdwn"})
MOST_BLOCKS = {"message": 50, "home": 100, "modal": 100}
MODAL_TEXTS = {"title": 24, "submit": 24, "close": 24}
ID_LETTERS = 255


def wrong_blocks(blocks: Any, *, surface: str = "message") -> list[str]:
    """What Slack would say about these blocks; nothing: it takes them."""
    if not isinstance(blocks, list):
        return ["blocks must be an array"]
    wrong = [f"block {number}: {problem}" for number, block in enumerate(blocks) for problem in _block(block)]
    ids = [block["block_id"] for block in blocks if isinstance(block, dict) and "block_id" in block]
    if len(set(ids)) < len(ids):
        wrong.append("two blocks have one block_id")
    inputs = [block for block in blocks if isinstance(block, dict) and block.get("type") == "input"]
    if inputs and surface == "message":
        wrong.append("an input block does not go into a message")
    if len(blocks) > MOST_BLOCKS[surface]:
        wrong.append(f"more than {MOST_BLOCKS[surface]} blocks")
    return wrong


def wrong_view(view: Item) -> list[str]:
    """What Slack would say about a home or a modal."""
    surface = view.get("type", "")
    wrong = wrong_blocks(view.get("blocks"), surface=surface)
    wrong += _too_long(view, callback_id=ID_LETTERS, private_metadata=3000)
    for name, most in MODAL_TEXTS.items() if surface == "modal" else ():
        if name in view:
            wrong += _text(view, name, most=most)
    if surface == "modal" and "title" not in view:
        wrong.append("a modal needs a title")
    if surface == "modal" and "submit" not in view and any(b.get("type") == "input" for b in view["blocks"]):
        wrong.append("a modal with input needs submit")
    if any(block.get("type") in ("markdown", "context_actions") for block in view.get("blocks", ())):
        wrong.append("markdown and context_actions blocks go into messages only")
    return wrong


def _block(block: Any) -> Iterator[str]:
    if not isinstance(block, dict):
        yield "not an object"
        return
    kind = str(block.get("type"))
    if kind not in BLOCKS:
        yield f"unknown type {kind}"
        return
    yield from _too_long(block, block_id=ID_LETTERS)
    yield from BLOCKS[kind](block)


def _section(block: Item) -> Iterator[str]:
    if "text" not in block and not block.get("fields"):
        yield "a section needs text or fields"
    if "text" in block:
        yield from _text(block, "text", most=3000, kinds=EITHER)
    for field in block.get("fields", ()):
        yield from _text({"field": field}, "field", most=2000, kinds=EITHER)
    if len(block.get("fields", ())) > 10:
        yield "more than 10 fields"
    if "accessory" in block:
        yield from _element(block["accessory"])


def _context(block: Item) -> Iterator[str]:
    elements = block.get("elements", ())
    if not 1 <= len(elements) <= 10:
        yield "context needs 1 to 10 elements"
    for element in elements:
        if element.get("type") != "image":
            yield from _text({"element": element}, "element", most=3000, kinds=EITHER)


def _actions(most: int, kinds: frozenset[str]) -> Callable[[Item], Iterator[str]]:
    def check(block: Item) -> Iterator[str]:
        elements: Sequence[Item] = block.get("elements", ())
        if not 1 <= len(elements) <= most:
            yield f"needs 1 to {most} elements"
        ids = [element.get("action_id") for element in elements]
        if len(set(ids)) < len(ids):
            yield "two elements have one action_id"
        for element in elements:
            if kinds and element.get("type") not in kinds:
                yield f"{element.get('type')} does not go into {block['type']}"
            yield from _element(element)

    return check


def _input(block: Item) -> Iterator[str]:
    yield from _text(block, "label", most=2000)
    yield from _element(block.get("element", {}))


def _element(element: Item) -> Iterator[str]:
    kind = str(element.get("type"))
    if kind not in ELEMENTS:
        yield f"unknown element {kind}"
        return
    yield from _too_long(element, action_id=ID_LETTERS, value=2000)
    if "action_id" not in element and kind != "image":
        yield f"{kind} needs an action_id"
    if "confirm" in element:
        yield from _confirm(element["confirm"])
    yield from ELEMENTS[kind](element)


def _button(element: Item) -> Iterator[str]:
    yield from _text(element, "text", most=75)
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "style must be primary or danger"
    if element.get("value") == "":
        yield "value must not be empty"


def _feedback(element: Item) -> Iterator[str]:
    for name in ("positive_button", "negative_button"):
        button = element.get(name)
        if not isinstance(button, dict):
            yield f"feedback_buttons needs {name}"
            continue
        yield from _text(button, "text", most=75)
        yield from _too_long(button, value=2000, accessibility_label=75)
        if not button.get("value"):
            yield f"{name} needs a value"


def _icon_button(element: Item) -> Iterator[str]:
    yield from _text(element, "text", most=75)
    if element.get("icon") != "trash":
        yield "icon must be trash"


def _confirm(confirm: Item) -> Iterator[str]:
    yield from _text(confirm, "title", most=100)
    yield from _text(confirm, "text", most=300, kinds=EITHER)
    yield from _text(confirm, "confirm", most=30)
    yield from _text(confirm, "deny", most=30)


def _choices(element: Item) -> Iterator[str]:
    options = element.get("options", ())
    if not 1 <= len(options) <= 100:
        yield "needs 1 to 100 options"
    for option in options:
        yield from _text(option, "text", most=75, kinds=EITHER)
        yield from _too_long(option, value=150)


def _nothing(_: Item) -> Iterator[str]:
    yield from ()


def _text(holder: Item, name: str, *, most: int, kinds: frozenset[str] = PLAIN) -> Iterator[str]:
    text = holder.get(name)
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield f"{name} must be {' or '.join(sorted(kinds))}"
        return
    if not 1 <= len(str(text.get("text", ""))) <= most:
        yield f"{name} must have 1 to {most} characters, not {len(str(text.get('text', '')))}"


def _too_long(item: Item, **most: int) -> Iterator[str]:
    for name, letters in most.items():
        value = item.get(name, "")
        if not isinstance(value, str):
            yield f"{name} must be a string"
        elif len(value) > letters:
            yield f"{name} is longer than {letters}"


def _header(block: Item) -> Iterator[str]:
    yield from _text(block, "text", most=150)


def _markdown(block: Item) -> Iterator[str]:
    if not isinstance(block.get("text"), str) or not block["text"]:
        yield "markdown needs text"


BLOCKS: dict[str, Callable[[Item], Iterator[str]]] = {
    "actions": _actions(25, frozenset()),
    "context": _context,
    "context_actions": _actions(5, frozenset({"feedback_buttons", "icon_button"})),
    "divider": _nothing,
    "header": _header,
    "image": _nothing,
    "input": _input,
    "markdown": _markdown,
    "rich_text": _nothing,
    "section": _section,
}
ELEMENTS: dict[str, Callable[[Item], Iterator[str]]] = {
    "button": _button,
    "checkboxes": _choices,
    "feedback_buttons": _feedback,
    "icon_button": _icon_button,
    "image": _nothing,
    "overflow": _choices,
    "plain_text_input": _nothing,
    "radio_buttons": _choices,
    "static_select": _choices,
}
