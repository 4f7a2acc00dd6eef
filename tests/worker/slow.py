"""`python -m worker`, its engine slowed down to one token each SLOW_TOKEN_SECONDS: a test can come between two."""

import os
import time

from worker.cli import app
from worker.telling import Telling

seconds = float(os.environ.get("SLOW_TOKEN_SECONDS", "0"))
at_once = Telling.on_token


def slowly(self: Telling, token_id: int) -> None:
    time.sleep(seconds)  # in the decoding loop, as a larger model's work would be
    at_once(self, token_id)


if __name__ == "__main__":
    if seconds:
        Telling.on_token = slowly  # type: ignore[method-assign]
    app()
