"""The commands of `frontdesk moderation`: judge a text by hand, check a policy file, measure both on labelled texts.

Knows the terminal. What a verdict means stands in the policy, how one looks in `show`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderation.scoring import Scorer
    from moderation.verdict import Direction, Where

app = typer.Typer(
    name="moderation", help="Judge a text by hand, check a policy file, measure both.", no_args_is_help=True
)

MODEL = Path(__file__).parent / "model"

PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="Policy file; the bundled one without it.")
]
ChannelOption = Annotated[str, typer.Option(help="As on this channel: web, telegram, slack, api.")]
PlaceOption = Annotated[str, typer.Option(help="As in this place of the channel, by its key.")]


@app.command()
def check(
    text: Annotated[str, typer.Argument(help="The text, or - to read it from standard input.")],
    output: Annotated[
        bool, typer.Option("--output", help="Judge it as an answer, not as a message.")
    ] = False,
    channel: ChannelOption = "",
    place: PlaceOption = "",
    policy: PolicyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what the policy would do with a text."""
    import asyncio
    import json
    import sys

    from rich.console import Console

    from moderation import show
    from moderation.errors import ModerationError, TextRefused
    from moderation.moderator import Moderator
    from moderation.normalise import clean
    from moderation.policy import Terms

    where = _where(channel, place)
    direction: Direction = "output" if output else "input"
    try:
        with _classifier() as scorer:
            moderator = Moderator.from_policy(policy, scorer=scorer)
            told = clean(sys.stdin.read() if text == "-" else text)
            found = asyncio.run(moderator.check(told, direction=direction, where=where))
    except (ModerationError, TextRefused) as error:
        raise _told(error) from error
    if as_json:
        typer.echo(json.dumps(show.as_json(found), ensure_ascii=False, indent=2))
        return
    terms = moderator.terms(where) or Terms()
    Console(highlight=False).print(show.verdict(found, terms, text=told, direction=direction))


@app.command()
def policy(
    file: Annotated[Path | None, typer.Argument(help="Policy file; the bundled one without it.")] = None,
    channel: ChannelOption = "",
    place: PlaceOption = "",
) -> None:
    """Check a policy file and show what applies: everywhere, on a channel, or in one place."""
    import asyncio
    from contextlib import nullcontext

    from rich.console import Console

    from moderation import show
    from moderation.errors import ModerationError
    from moderation.panel import Panels
    from moderation.policy import load

    where = _where(channel, place)
    try:
        loaded = load(file)
        with _classifier() if loaded.at(where).topics else nullcontext() as scorer:
            deaf = asyncio.run(Panels.of(loaded, scorer=scorer).at(where).topics()).deaf
    except ModerationError as error:
        raise _told(error) from error
    Console(highlight=False).print(show.policy(loaded, where, deaf=deaf, classifier=scorer is not None))


@app.command("eval")
def evaluate(
    files: Annotated[
        list[Path], typer.Argument(help="Labelled texts: .csv, .tsv or .jsonl, each also as .gz.")
    ],
    text: Annotated[str, typer.Option(help="The column of the text, where its name does not tell.")] = "",
    label: Annotated[str, typer.Option(help="The column that says whether it is harmful.")] = "",
    positive: Annotated[str, typer.Option(help="Its words for harmful, with commas between.")] = "",
    negative: Annotated[str, typer.Option(help="Its words for harmless, with commas between.")] = "",
    every: Annotated[str, typer.Option("--all", help="safe or unsafe: what every text is.")] = "",
    category: Annotated[
        str, typer.Option(help="What a single label is about, and harmful means.")
    ] = "overall",
    threshold: Annotated[float | None, typer.Option(help="Show precision and recall from here on.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Another model's folder; the bundled one without it.")
    ] = None,
    policy: PolicyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What classifier and policy are worth on labelled texts: AUPRC, recall, false alarms, time."""
    import asyncio
    import json

    from rich.console import Console

    from moderation import evaluate as worth
    from moderation.classifier import Classifier, ClassifierError
    from moderation.errors import PolicyError
    from moderation.labelled import Convention, LabelsUnclear, read
    from moderation.moderator import Moderator

    convention = Convention(
        text, label, _words(positive), _words(negative), _category(category), _said_of_all(every)
    )
    try:
        texts = read(files, convention)
        with closing(Classifier.load(model)) as scorer, worth.progress(len(texts)) as tick:
            moderator = Moderator.from_policy(policy, scorer=scorer)
            asked = worth.evaluate(
                texts, scorer=scorer, moderator=moderator, category=category, threshold=threshold, tick=tick
            )
            report = asyncio.run(asked)
    except (ClassifierError, LabelsUnclear, PolicyError) as error:
        raise _told(error) from error
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
        return
    Console(highlight=False).print(worth.shown(report))


def _words(listed: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in listed.split(",") if word.strip())


def _category(name: str) -> str:
    from moderation.categories import LABELS

    if name not in LABELS:
        raise typer.BadParameter(f"one of {', '.join(LABELS)}", param_hint="--category")
    return name


def _said_of_all(word: str) -> bool | None:
    if word not in ("", "safe", "unsafe"):
        raise typer.BadParameter("safe or unsafe", param_hint="--all")
    return None if not word else word == "unsafe"


def _where(channel: str, place: str) -> Where:
    from moderation.verdict import Where

    if place and not channel:
        raise typer.BadParameter("a place is one of a channel: give --channel too", param_hint="--place")
    return Where(channel, place)


@contextmanager
def _classifier() -> Iterator[Scorer | None]:
    """The bundled classifier; None where this copy of Frontdesk has none. Raises ClassifierMissing if it is broken."""
    if not MODEL.is_dir():
        yield None
        return
    from moderation.classifier import Classifier

    with closing(Classifier.load()) as opened:
        yield opened


def _told(error: Exception) -> typer.Exit:
    """Says what is wrong and gives the exit to raise."""
    from rich.console import Console

    reason = f": {error.__cause__!r}" if error.__cause__ else ""
    Console(stderr=True, highlight=False).print(f"{error}{reason}", markup=False, soft_wrap=True)
    return typer.Exit(1)
