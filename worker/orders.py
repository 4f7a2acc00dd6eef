"""The few words between a supervisor and its workers: down their standard input, and up a pipe of their own."""

from __future__ import annotations

RETIRE = b"retire %d\n"  # see your answers through, and end after so many seconds without any
STAY = b"stay\n"  # you are wanted again
LOADED = b"loaded\n"  # the model answers
