"""`python -m worker`, the same as `frontdesk worker`."""

from worker.cli import app

app(prog_name="python -m worker")
