"""`frontdesk keys`: makes, lists and revokes API keys, directly in the database; and makes keys to encrypt by.

Knows the terminal and the store. What a key allows is decided where requests come in.
"""

from __future__ import annotations

import base64
import secrets
from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from bot.operating import day, open_store, run


class Scope(StrEnum):  # typer takes no list of Literal
    CHAT = "chat"
    ADMIN = "admin"


app = typer.Typer(name="keys", help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[
        str, typer.Option("--name", help="What the key is for, e.g. the program that uses it.")
    ] = "",
    screen: Annotated[
        Literal["hold", "shadow", "off"],
        typer.Option(
            "--screen",
            help="hold: nothing is shown unjudged; shadow: judged, never held back; off: not judged.",
        ),
    ] = "hold",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            "--scope", help="chat: /v1; admin: /readyz and /metrics too. May be repeated.  [default: chat]"
        ),
    ] = None,
) -> None:
    """Make a key and print it: this once, since only its hash is kept."""
    from rich.console import Console

    scopes = tuple(dict.fromkeys(str(one) for one in scope or [Scope.CHAT]))

    async def made() -> tuple[str, Any]:
        async with open_store() as store:
            return await store.create_key(name=name, screen=screen, scopes=scopes)

    token, key = run(made())
    typer.echo(token)  # alone on standard output, for scripts
    Console(stderr=True).print(
        f"key {key.id} ({', '.join(key.scopes)}; screen {key.screen}). Keep it now: it is not shown again.",
        markup=False,
    )


@app.command("list")
def list_keys() -> None:
    """Show every key: its name and rights, never the key itself."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    async def found() -> list[Any]:
        async with open_store() as store:
            return list(await store.keys())

    table = Table("id", "name", "scopes", "screen", "made", "last used", "revoked")
    for key in run(found()):
        times = (day(at) for at in (key.created, key.last_used, key.revoked))
        table.add_row(str(key.id), Text(key.name), ", ".join(key.scopes), key.screen, *times)
    Console().print(table)


@app.command()
def revoke(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="The number that `list` shows.")],
) -> None:
    """Take a key back: requests with it are refused from now on (within two seconds)."""

    async def revoked() -> bool:
        async with open_store() as store:
            known = {key.id: key for key in await store.keys()}
            if key_id not in known:
                return False
            await store.revoke_key(key_id)
            return True

    if not run(revoked()):
        typer.echo(f"There is no key {key_id}. `frontdesk keys list` shows them.", err=True)
        raise typer.Exit(1)
    typer.echo(f"key {key_id} is revoked")


@app.command()
def encryption() -> None:
    """Make a key for FRONTDESK_ENCRYPTION_KEYS. A new one goes first there, the old ones stay behind it."""
    typer.echo(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())  # a Fernet key: 32 random bytes
