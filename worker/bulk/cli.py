"""The command `frontdesk jobs`: asks a bulk worker for work of hours, and looks how it goes.

Knows the terminal. Jobs and their records stand beside.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.bulk.client import Bulk, Found
    from worker.jobs import Event

app = typer.Typer(
    name="jobs",
    help="Work of hours for a bulk worker: conversions, training.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

RedisOption = Annotated[str, typer.Option("--redis", help="Where the queue is (REDIS_URL).")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON on the standard output.")]
Job = Annotated[str, typer.Argument(help="The job's id.")]


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def ask(
    chore: Annotated[str, typer.Argument(help="pull, convert, quantise or classifier.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="As after `frontdesk models` or `frontdesk train`.")
    ] = None,
    redis: RedisOption = "",
    hours: Annotated[  # a job is known for seven days
        float, typer.Option(min=0.01, max=160, help="Stopped when it is not over by then.")
    ] = 24.0,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it until it is over.")] = False,
) -> None:
    """Queue a job; its options stand after the chore's name. The files it names are the worker's."""
    with _bulk(redis) as bulk:
        from worker.bulk.chores import ChoreRefused

        try:
            job = bulk.ask(chore, arguments or [], seconds=hours * 3600)
        except ChoreRefused as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from None
        if not wait:
            typer.echo(f"{job.id} is queued. How it goes: frontdesk jobs watch {job.id}")
            return
        raise typer.Exit(_follow(bulk, job.id))


@app.command("list")
def list_(redis: RedisOption = "", as_json: JsonOption = False) -> None:
    """The jobs of the last seven days."""
    with _bulk(redis) as bulk:
        found = bulk.list()
    if as_json:
        typer.echo(json.dumps([_plain(each) for each in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("No job was asked for in the last seven days.")
        return
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("job", "what", "state", "asked", "how it goes"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("job", "state", "asked"))
    for each in found:
        what = " ".join((each.job.chore, *each.job.arguments))
        asked = time.strftime("%d %b %H:%M", time.localtime(each.created))
        note = f"{each.fraction:.0%} {each.note}" if each.fraction else each.note
        table.add_row(each.job.id, escape(what), each.state, asked, escape(note))
    Console().print(table)


@app.command()
def watch(job: Job, redis: RedisOption = "") -> None:
    """Tell how a job goes until it is over; its status is ours: 0 when it is done, 1 when it is not."""
    with _bulk(redis) as bulk:
        if bulk.find(job) is None:
            raise _unknown(job)
        raise typer.Exit(_follow(bulk, job))


@app.command()
def cancel(job: Job, redis: RedisOption = "") -> None:
    """Stop a job, or take it out of the queue."""
    with _bulk(redis) as bulk:
        if bulk.find(job) is None:
            raise _unknown(job)
        typer.echo("It is being stopped." if bulk.cancel(job) else "It is over already.")


@contextlib.contextmanager
def _bulk(redis_url: str) -> Iterator[Bulk]:
    import redis

    from worker.bulk.client import Bulk
    from worker.jobs import JobMalformed
    from worker.logs import masked
    from worker.settings import SettingsError, WorkerSettings

    try:
        url = WorkerSettings.read(redis_url=redis_url or None).redis_url.get_secret_value()
        client = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5)
    except SettingsError as error:
        typer.echo(f"These settings are wrong or missing:\n{error}", err=True)
        raise typer.Exit(2) from None
    except ValueError:  # its words may repeat a piece of the password
        typer.echo("REDIS_URL: it is no address of a Redis server", err=True)
        raise typer.Exit(2) from None
    try:
        with client:
            yield Bulk(client)
    except JobMalformed as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except redis.RedisError as error:
        typer.echo(f"Redis at {masked(url)} does not answer ({type(error).__name__}).", err=True)
        raise typer.Exit(1) from None


def _follow(bulk: Bulk, job_id: str) -> int:
    from worker.jobs import Result

    event: Event | None = None
    try:
        for event in bulk.watch(job_id):
            typer.echo(_words(event))
    except KeyboardInterrupt:
        typer.echo(f"It goes on without us: frontdesk jobs watch {job_id}", err=True)
        return 130
    return 0 if isinstance(event, Result) else 1


def _words(event: Event) -> str:
    from worker.jobs import Ended, Failed, Progress, Result

    match event:
        case Progress():
            return f"{event.fraction:4.0%} {event.note}" if event.fraction else f"     {event.note}"
        case Failed():
            return f"It failed ({event.code}).\n{event.message}"
        case Ended():
            return "It was cancelled." if event.reason == "cancelled" else "Its time was up; it was stopped."
        case Result():
            value = event.value
            said = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            return f"Done.\n{said}".rstrip()
        case _:
            return ""


def _unknown(job: str) -> typer.Exit:
    typer.echo(f"There is no job {job}: frontdesk jobs list", err=True)
    return typer.Exit(1)


def _plain(found: Found) -> dict[str, object]:
    told = asdict(found)
    job = told.pop("job")
    return {"id": job["id"], "chore": job["chore"], "arguments": list(job["arguments"]), **told}
