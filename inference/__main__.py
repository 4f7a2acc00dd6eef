"""`python -m inference models ...` and `... train ...`: what `frontdesk` offers of them, without the rest of it."""

import typer

from inference.cli import app as models
from inference.training.cli import app as train

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(models, name="models")
app.add_typer(train, name="train")

if __name__ == "__main__":
    app(prog_name="python -m inference")
