"""What an engine counts as the text that travels with a heartbeat, made anew only every few seconds.

Knows Prometheus' text format. What is counted is the engine's business, who reads it the bot's.
"""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, generate_latest

# Seconds. Making it takes 2 to 3 ms of Python, which the decoding loops wait for; who scrapes comes each 15 s or so.
FRESH = 5.0


class Exposition:
    """One registry's text. Use it from one thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._text = ""
        self._made_at = -FRESH

    def text(self) -> str:
        """The registry's metrics, FRESH seconds old at most."""
        now = time.monotonic()
        if now - self._made_at >= FRESH:
            self._text, self._made_at = generate_latest(self._registry).decode(), now
        return self._text
