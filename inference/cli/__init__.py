"""The commands of `frontdesk models`, one file for each thing that is done with models."""

from inference.cli import bench, classify, convert, get, keep, serve, show
from inference.cli.app import app

__all__ = ["app", "bench", "classify", "convert", "get", "keep", "serve", "show"]

# As one needs them; what is not named comes last.
ORDER = (
    "list",
    "show",
    "pull",
    "convert",
    "quantise",
    "bench",
    "classify",
    "promote",
    "rollback",
    "verify",
    "remove",
    "collect",
)


def _place(command: object) -> int:
    name = getattr(command, "name", None) or getattr(getattr(command, "callback", None), "__name__", "")
    return ORDER.index(name) if name in ORDER else len(ORDER)


app.registered_commands.sort(key=_place)
