"""The model's Markdown as safe HTML, block by block: what is finished never changes when more text follows.

Knows Markdown and what a browser may be given. Leaves the moment of showing and the wire's format to the channel.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

SCHEMES = frozenset({"http", "https", "mailto"})
TAGS = frozenset(
    {"p", "br", "strong", "em", "s", "code", "pre", "a", "ul", "ol", "li", "blockquote", "hr"}
    | {"h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"}
)
HEADING_SHIFT = 2  # the frame's page keeps h1 and h2 for itself


@dataclass(frozen=True, slots=True)
class Blocks:
    """`finished`: safe HTML of the blocks from the asked one on; `open`: the source of the block still growing."""

    finished: tuple[str, ...]
    open: str


class _Renderer(RendererHTML):
    """Images become links: a picture's address in a model's answer could carry away what was said."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        source = str(token.attrs.get("src", ""))
        words = self.renderInlineAsText(token.children, options, env) or source
        in_link = sum(t.nesting for t in tokens[:idx] if t.type in ("link_open", "link_close"))
        if in_link or not source:
            return html.escape(words)
        return f'<a href="{html.escape(source)}">{html.escape(words)}</a>'


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # markdown-it's own name
        return _scheme(url) in SCHEMES


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme.lower()
    except ValueError:
        return ""


def _parser() -> MarkdownIt:
    parser = _Markdown("commonmark", {"html": False, "linkify": True, "breaks": True}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough", "linkify"])
    # A definition further down would change blocks already shown; raw HTML is shown as it is written.
    parser.disable(["reference", "html_block", "html_inline"])
    if parser.linkify:
        parser.linkify.set({"fuzzy_link": False})  # README.md and main.py are no websites
    return parser


# Parsing keeps no state in them.
_PARSER = _parser()
_OUTLINE = _parser().disable(["inline", "linkify", "text_join"])  # blocks alone: a tenth of the work


def blocks(markdown: str, *, start: int = 0, ended: bool = False) -> Blocks:
    """The blocks of an answer, those before index `start` left out.

    A block is finished once a further one has begun on a whole line after it; `ended` finishes all. For any
    text cut anywhere, the finished blocks of the part are the first finished blocks of the whole. Only the blocks
    that are returned are read for what stands inside them.
    """
    source = _one_kind_of_line_end(markdown)
    env: EnvType = {}
    tokens = _OUTLINE.parse(source if ended else _whole_lines(source), env)
    top = _top_level(tokens)
    done = top if ended else top[:-1]
    finished = tuple(_render(tokens[first : last + 1], env) for first, last in done[start:])
    if ended:
        return Blocks(finished, "")
    return Blocks(finished, _rest(source, tokens[top[-1][0]] if top else None))


def count(markdown: str) -> int:
    """How many blocks of a growing answer are finished."""
    tokens = _OUTLINE.parse(_whole_lines(_one_kind_of_line_end(markdown)))
    return max(0, len(_top_level(tokens)) - 1)


def whole(markdown: str) -> str:
    """A complete text as one piece of safe HTML: the house's own sentences."""
    return "".join(blocks(markdown, ended=True).finished)


def plain(text: str) -> str:
    """What a person typed: never read as Markdown, line breaks kept."""
    return f"<p>{html.escape(text).replace(chr(10), '<br>')}</p>"


def _one_kind_of_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _whole_lines(text: str) -> str:
    """Without the last line while it grows: half a line may still mean anything."""
    return text[: text.rfind("\n") + 1]


def _top_level(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """First and last token of each top-level block."""
    spans: list[tuple[int, int]] = []
    first = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting >= 0:
            first = index
        if token.level == 0 and token.nesting <= 0:
            spans.append((first, index))
    return spans


def _rest(source: str, begins: Token | None) -> str:
    """The text from the line where a block begins."""
    if begins is None or begins.map is None:
        return source.lstrip("\n")
    return "\n".join(source.split("\n")[begins.map[0] :])


def _render(tokens: list[Token], env: EnvType) -> str:
    _PARSER.core.process(StateCore("", _PARSER, env, tokens))  # no source: only what stands inside the blocks
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + HEADING_SHIFT)}"
        style = str(token.attrs.pop("style", ""))
        if style.startswith("text-align:"):  # the frame's own rules forbid inline styles
            token.attrs["align"] = style.removeprefix("text-align:")
    return safe(_PARSER.renderer.render(tokens, _PARSER.options, env))


def safe(markup: str) -> str:
    """The HTML that a browser may be given: known tags, links that leave no trace, nothing that loads by itself."""
    return nh3.clean(
        markup,
        tags=set(TAGS),
        attributes={"a": {"href"}, "ol": {"start"}, "th": {"align"}, "td": {"align"}},
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    ).strip()
