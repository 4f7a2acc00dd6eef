"""The `frontdesk` command: its own few commands, and those that the other rooms bring, imported only when called.

Knows the terminal: options, exit codes, what goes to which stream. What the commands do stands elsewhere.
"""

from __future__ import annotations

import asyncio
import sys
import time
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from bot.doctor import Finding
    from bot.settings import Settings

GROUP = "frontdesk.commands"
HELP = {  # so that the list of commands imports none of them
    "keys": "Make, list and revoke API keys.",
    "data": "What is kept of people: give it out, delete it, back it up.",
    "worker": "Run a worker alone; it needs REDIS_URL.",
    "jobs": "Have a bulk worker convert or train; see how it goes.",
    "models": "List models, look at one, make one of random weights.",
    "train": "Train models (needs the extra train).",
    "moderation": "Judge texts, check a policy, review what was stopped.",
}
BESIDE = {"moderation": "bot.review:app"}  # our own commands in another room's group: they touch the database
MISCONFIGURED = 2  # exit status, as for a wrong option


class Joined(TyperCommand):
    """A command of another room: a name and a sentence until it is called."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(name=entry.name, help=HELP.get(entry.name, f"Brought by {entry.module}."))
        self.entry = entry

    def loaded(self) -> Any:
        """The command itself. Exits with a sentence when its room cannot be entered."""
        try:
            command: Any = typer.main.get_command(self.entry.load())
            if self.entry.name in BESIDE:
                ours = EntryPoint(self.entry.name, BESIDE[self.entry.name], GROUP).load()
                for name, one in typer.main.get_command(ours).commands.items():  # type: ignore[attr-defined]
                    command.add_command(one, name)
                command.help = HELP[self.entry.name]
        except Exception as error:
            raise _closed(self.entry, error) from None
        command.name = self.entry.name
        command.params = [
            option
            for option in command.params
            if option.name not in ("install_completion", "show_completion")
        ]
        return command


def _closed(entry: EntryPoint, error: Exception) -> typer.Exit:
    missing = getattr(error, "name", None) or type(error).__name__
    hint = ""
    if isinstance(error, ModuleNotFoundError) and not str(missing).startswith(entry.module.split(".")[0]):
        hint = " pip install 'frontdesk[train]' brings it." if entry.name == "train" else ""
    typer.echo(
        f"`frontdesk {entry.name}` cannot be used here: {missing} is missing or broken.{hint}", err=True
    )
    return typer.Exit(1)


class Commands(TyperGroup):
    """Our own commands, and one for each entry point."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *joined()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is None and (entry := joined().get(cmd_name)):
            return Joined(entry)
        return own

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.loaded() if isinstance(command, Joined) else command, rest


def joined() -> dict[str, EntryPoint]:
    """The commands that other packages bring, by name; ours come first."""
    ours = {name: EntryPoint(name, f"bot.{name}:app", GROUP) for name in ("keys", "data")}
    return ours | {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in ours}


app = typer.Typer(
    name="frontdesk",
    cls=Commands,
    help="One assistant for Slack, Telegram and your website, on your own machines.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those may be secrets
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    """One assistant for Slack, Telegram and your website, on your own machines."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"frontdesk {installed('frontdesk')}")
        raise typer.Exit


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the database, models and logs.")] = None,
    model: Annotated[str | None, typer.Option(help="Library name, or path of a converted model.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 for other computers.")
    ] = None,
) -> None:
    """Start everything: Redis if need be, a worker, and the bot with its web page."""
    began = time.monotonic()
    settings = _settings(port=port, data=data, model=model, host=host)
    from rich.console import Console

    from bot import up as house

    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else 200)
    _run(house.up(settings, console=console, began=began))


@app.command()
def bot() -> None:
    """Run the bot alone: channels, web page and API. Workers and Redis run elsewhere (REDIS_URL)."""
    settings = _settings()
    from bot import up as house

    _run(house.bot_alone(settings))


@app.command()
def chat(
    question: Annotated[str, typer.Argument(help="Ask just this; without it, a conversation.")] = "",
    url: Annotated[str, typer.Option(help="A running Frontdesk.")] = "http://127.0.0.1:8080",
    key: Annotated[
        str, typer.Option(envvar="FRONTDESK_KEY", show_envvar=True, help="API key, if it asks for one.")
    ] = "",
    model: Annotated[str, typer.Option(help="A model of GET /v1/models; the first one without it.")] = "",
) -> None:
    """Talk to a running Frontdesk in the terminal. Ctrl-C stops an answer, and leaves when there is none."""
    from bot.terminal import Api, chat

    status = chat(Api(url=url, key=key, model=model), first=question, complain=_complain)
    raise typer.Exit(status)


@app.command()
def doctor(
    channel: Annotated[
        Literal["slack", "telegram"] | None,
        typer.Argument(help="Ask this channel's platform what it thinks of us."),
    ] = None,
) -> None:
    """Look at configuration, database, Redis, model, ports and tokens, and say what to do."""
    from bot.doctor import examine, examine_slack, examine_telegram, surroundings

    if channel is not None:
        asked = {"slack": examine_slack, "telegram": examine_telegram}[channel]
        findings = asyncio.run(asked(_settings(), surroundings()))
    else:
        findings = asyncio.run(examine(surroundings()))
    for finding in findings:
        typer.echo(_line(finding))
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


@app.command()
def settings() -> None:
    """List every environment variable, as the table of the README."""
    from bot.settings import table

    typer.echo(table())


def _line(finding: Finding) -> str:
    colour = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}[finding.state]
    todo = f"\n      -> {finding.todo}" if finding.todo else ""
    state = typer.style(f"{finding.state:4}", fg=colour)
    return f"{state}  {finding.what}: {finding.said}{todo}"


def _settings(**options: object) -> Settings:
    """The settings, or every mistake in them and exit status 2."""
    from bot.settings import Settings, SettingsError

    try:
        return Settings.read(**options)
    except SettingsError as error:
        _complain("These settings are wrong:\n" + "\n".join(f"  {line}" for line in str(error).split("\n")))
        raise typer.Exit(MISCONFIGURED) from None


def _run(work: Any) -> None:
    from bot.up import NotStarted

    try:
        asyncio.run(work)
    except NotStarted as error:
        _complain(str(error))
        raise typer.Exit(1) from None


def _complain(sentence: str) -> None:
    typer.echo(sentence, err=True)


def main() -> None:
    """The `frontdesk` command."""
    app()


if __name__ == "__main__":
    main()
