"""`frontdesk data`: what is kept of a person, given out or deleted; and everything, into a backup and back.

Knows the terminal. What belongs to a person, and how a database is copied, is the store's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.operating import day, open_store, run

if TYPE_CHECKING:
    from bot.store import Store
    from bot.store.people import Known

app = typer.Typer(
    name="data", help="What is kept of people: give it out, delete it, back it up.", no_args_is_help=True
)

Person = Annotated[
    str, typer.Option("--person", metavar="CHANNEL/KEY", help="Who, as `frontdesk data people` tells them.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def people(
    words: Annotated[str, typer.Argument(help="A part of a name or a key; without it, everybody.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Show this many at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Find people: how each channel knows them, and when they spoke last."""

    async def found() -> Sequence[Known]:
        async with open_store() as store:
            return await store.people(words, limit=limit)

    them = run(found())
    if as_json:
        typer.echo(json.dumps([one.plain() for one in them], ensure_ascii=False, indent=2))
        return
    if not them:
        typer.echo("Nobody is known by that." if words else "Nobody has spoken yet.")
        return
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("person", "name", "messages", "last"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "messages" else "left")
    for one in them:
        table.add_row(escape("\n".join(one.identities)), escape(one.name), f"{one.messages:,}", day(one.last))
    Console().print(table)


@app.command()
def export(
    person: Person,
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="Written anew; - is standard output.")
    ] = Path("-"),
) -> None:
    """Write everything that is kept of a person, as JSON."""

    async def found() -> dict[str, Any]:
        async with open_store() as store:
            return await store.export(await _id(store, person))

    text = json.dumps(run(found()), ensure_ascii=False, indent=2) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)  # also where it was there before
        if file.is_file():  # one that was there before, too; a device stays as it is
            file.chmod(0o600)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"{file} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"Everything that is kept of {person} is in {file}.", err=True)


@app.command()
def erase(person: Person, yes: Yes = False) -> None:
    """Delete everything that a person said, and the answers, in every channel. One audit line remains."""
    _sure(f"Delete everything that {person} said, and the answers?", yes=yes)

    async def erased() -> list[str]:
        async with open_store() as store:
            return await store.forget(await _id(store, person))

    under_way = run(erased())
    if under_way:
        run(_freed(under_way))
    typer.echo(f"Everything of {person} is deleted. Messages on the platforms themselves stay.")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Write the whole database into a file; people may go on chatting."""
    from bot.store.backup import backup as write

    run(asyncio.to_thread(write, _database(), file))
    typer.echo(f"The database is in {file} ({file.stat().st_size / 1e6:,.1f} MB).")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="What `backup` wrote.")], yes: Yes = False) -> None:
    """Put a backup in the place of everything that the database holds. Stop Frontdesk before."""
    from bot.store.backup import restore as put

    _sure("Replace everything that the database holds now?", yes=yes)
    run(asyncio.to_thread(put, _database(), file))
    typer.echo("The backup is restored. Start Frontdesk again.")


def _database() -> str:
    from bot.settings import Settings, SettingsError

    try:
        return Settings.read().database()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


async def _id(store: Store, person: str) -> int:
    channel, slash, key = person.partition("/")
    who = await store.who(channel, key) if slash else None
    if who is None:
        typer.echo(f"Nobody is known as {person}: frontdesk data people", err=True)
        raise typer.Exit(1)
    return who


async def _freed(correlations: Sequence[str]) -> None:
    """Stop what is being answered, where the queue can be reached; without it the answers lose their leases anyway."""
    from bot.settings import Settings
    from worker.client import Queue, QueueUnavailable

    settings = await asyncio.to_thread(Settings.read)
    if settings.redis_url is None:
        return
    async with Queue.open(settings.redis_url.get_secret_value(), limit=1) as queue:
        for correlation in correlations:
            try:
                await queue.cancel(correlation)
            except QueueUnavailable:
                return


def _sure(question: str, *, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        typer.echo("Nothing was changed.")
        raise typer.Exit(1)
