"""How a verdict and a policy look in a terminal of 80 columns, and a verdict as JSON.

Knows rich. What a verdict means stands in the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from moderation.pii.check import Treatment
    from moderation.pii.found import Kind
    from moderation.policy import Category, Directed, Notice, Policy, Terms
    from moderation.verdict import Direction, Finding, Verdict, Where

STYLES = {"allow": "green", "review": "yellow", "redact": "magenta", "mask": "magenta", "block": "bold red"}
LANGUAGES = {"en": "English", "zh": "Chinese", "unsupported": "a language the classifier does not read"}
BAR = 24  # cells, so that one is about 0.04
EXCERPT = 40  # characters of what was found


def action(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))


def verdict(found: Verdict, terms: Terms, *, text: str, direction: Direction) -> Group:
    """All that is known about one text."""
    judged = found.scores.language or "no classifier was asked"
    about = f"as {'a message' if direction == 'input' else 'an answer'}, {LANGUAGES.get(judged, judged)}"
    parts: list[RenderableType] = [action(found.action).append(f"  {about}", style="not bold default")]
    parts += [_findings(found.findings, text)] if found.findings else []
    parts += [_scores(found.scores.values, terms.categories.of(direction))] if found.scores.values else []
    parts += [_said("becomes", found.text)] if found.action == "redact" else []
    parts += [_said("people read", words) for words in found.notice.values()]
    parts.append(
        Text(
            f"policy {found.policy}" + (f", classifier {found.scores.model}" * bool(found.scores.model)),
            "dim",
        )
    )
    return Group(*(part if at == 0 else Padding(part, (1, 0, 0, 0)) for at, part in enumerate(parts)))


def _said(label: str, words: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # Chinese has no spaces to break at
    table.add_row(Text(label, "dim"), Text(words))
    return table


def _findings(findings: Iterable[Finding], text: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        what = Text.assemble(finding.category, "  ", (finding.check, "dim"), "\n", finding.reason)
        if finding.span is not None:
            what.append(f": “{_excerpt(text, finding.span)}”")
        table.add_row(action(finding.action), what)
    return table


def _excerpt(text: str, span: tuple[int, int]) -> str:
    found = " ".join(text[slice(*span)].split())
    return found if len(found) <= EXCERPT else found[: EXCERPT - 1] + "…"


def _scores(values: Mapping[str, float], categories: Mapping[str, Category]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False, header_style="dim")
    table.add_column("category")
    table.add_column("0" + "1".rjust(BAR - 1))
    for name in ("score", "review", "block"):
        table.add_column(name, justify="right")
    for name, score in sorted(values.items(), key=lambda pair: -pair[1]):
        review, block = _thresholds(categories.get(name))
        style = _style(score, review, block)
        marks = (_number(review, "yellow"), _number(block, "red"))
        table.add_row(name, bar(score, review, block), Text(f"{score:.2f}", style), *marks)
    return table


def _thresholds(category: Category | None) -> tuple[float | None, float | None]:
    return (category.review, category.block) if category else (None, None)


def _style(score: float, review: float | None, block: float | None) -> str:
    if block is not None and score >= block:
        return "bold red"
    return "yellow" if review is not None and score >= review else "green"


def _number(value: float | None, style: str = "") -> Text:
    return Text("never", "dim") if value is None else Text(f"{value:.2f}", style)


def bar(score: float, review: float | None, block: float | None) -> Text:
    """The score as a line, with the two thresholds across it."""
    line = Text("━" * round(score * BAR), _style(score, review, block))
    line.append("─" * (BAR - len(line)), "bright_black")
    for value, style in ((review, "yellow"), (block, "red")):
        if value is not None:
            at = min(int(value * BAR), BAR - 1)
            line = line[:at] + Text("┃", style) + line[at + 1 :]
    return line


def as_json(found: Verdict) -> dict[str, Any]:
    """A verdict for programs."""
    return {
        "action": found.action,
        "policy": found.policy,
        "text": found.text,
        "notice": dict(found.notice),
        "language": found.scores.language,
        "model": found.scores.model,
        "scores": dict(found.scores.values),
        "findings": [asdict(finding) for finding in found.findings],
    }


# -- a policy --------------------------------------------------------------------------------------------------


def policy(loaded: Policy, where: Where, *, deaf: Iterable[str], classifier: bool) -> Group:
    """What applies at a place. `deaf`: topics of which no example could be embedded."""
    terms = loaded.at(where)
    place = ":".join(part for part in (where.channel, where.place) if part)
    parts: list[RenderableType] = [
        Text.assemble("policy ", (loaded.version, "bold"), f" {'at ' + place if place else 'everywhere'}"),
        _general(terms),
        _titled("categories", _categories(terms.categories)),
        _titled("personal data and secrets", _pii(terms.pii)),
        _titled("lists", _lists(terms)),
        _titled("topics", _topics(terms, set(deaf), classifier=classifier)),
        _titled("rules", _rules(terms)),
    ]
    if not place:
        parts.append(_titled("different at", _places(loaded)))
    return Group(*(part if at == 0 else Padding(part, (1, 0, 0, 0)) for at, part in enumerate(parts)))


def _titled(title: str, body: RenderableType) -> Group:
    return Group(Text(title, "bold"), Padding(body, (0, 0, 0, 2)))


def _plain_table(*columns: str) -> Table:
    return Table(*columns, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")


def _general(terms: Terms) -> Table:
    table = Table.grid(padding=(0, 2))
    hold = "held until judged" if terms.screen == "hold" else "shown at once and judged beside (shadow)"
    table.add_row("answers", hold)
    table.add_row("messages", f"up to {terms.limits.max_input_chars:,} characters")
    table.add_row("classifier", f"{terms.limits.seconds:g} s for each 1,000 characters; later is a failure")
    table.add_row("other languages", action(terms.unsupported))
    table.add_row("system prompt repeated", action(terms.leakage))
    return table


def _categories(categories: Directed[dict[str, Category]]) -> RenderableType:
    table = _plain_table("category", "in", "review", "block", "then", "people read")
    for name in dict.fromkeys((*categories.input, *categories.output)):
        for direction, category in _sides(categories, name):
            then = action(category.action) if category.block is not None else Text("")
            told = _told(help=category.help, notice=category.notice)
            table.add_row(
                name,
                direction,
                _number(category.review, "yellow"),
                _number(category.block, "red"),
                then,
                told,
            )
    return table if table.row_count else Text("none: scores are kept and nothing follows from them", "dim")


def _sides(both: Directed[dict[str, Any]], name: str) -> Iterator[tuple[str, Any]]:
    """One line where input and output have the same, else two."""
    left, right = both.input.get(name), both.output.get(name)
    if left == right:
        yield "both", left
        return
    yield from ((way, side) for way, side in (("input", left), ("output", right)) if side is not None)


def _told(**notices: Notice | None) -> str:
    return ", ".join(name for name, notice in notices.items() if notice)


def _pii(pii: Directed[dict[Kind, Treatment]]) -> RenderableType:
    table = _plain_table("kind", "written by people", "written by the model")
    for kind in dict.fromkeys((*pii.input, *pii.output)):
        table.add_row(kind, action(pii.input.get(kind, "allow")), action(pii.output.get(kind, "allow")))
    return table if table.row_count else Text("all allowed", "dim")


def _lists(terms: Terms) -> RenderableType:
    allow, deny = len(terms.lists.allow), len(terms.lists.deny)
    return Text(f"{deny} phrases denied, {allow} allowed without the classifier")


def _topics(terms: Terms, deaf: set[str], *, classifier: bool) -> RenderableType:
    if not terms.topics:
        return Text("none", "dim")
    table = _plain_table("topic", "in", "similarity", "action", "examples")
    why = "it reads none of them" if classifier else "no classifier here"
    for topic in terms.topics:
        examples = Text(str(len(topic.examples)))
        if topic.name in deaf:
            examples.append(f", off: {why}", "yellow")
        table.add_row(topic.name, topic.direction, f"{topic.similarity:.2f}", action(topic.action), examples)
    return table


def _rules(terms: Terms) -> RenderableType:
    table = _plain_table("rule", "in", "action", "category")
    for rule in terms.rules:
        off = Text("off", "dim") if rule.action == "allow" else action(rule.action)
        table.add_row(rule.name, rule.direction, off, rule.category)
    return table if table.row_count else Text("none", "dim")


def _places(loaded: Policy) -> RenderableType:
    names = [*loaded.channels, *(f"{where.channel}:{where.place}" for where in loaded.places)]
    return Text(", ".join(names) if names else "no channel and no place")
