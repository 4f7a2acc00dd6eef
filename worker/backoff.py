"""How long a process that died waits until it is started again: the same wherever processes are kept running.

Knows seconds. Who dies, and what a start is, is the supervisors' business: the bot's and the worker's own.
"""

from __future__ import annotations

from dataclasses import dataclass

# Seconds before the second, third ... start in a row; the first comes at once, since a reader may be waiting (P3).
BACK_OFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY = 30.0  # seconds alive after which a death counts as the first again


@dataclass(slots=True)
class BackOff:
    """One process's deaths in a row."""

    deaths: int = 0

    def died(self, *, alive: float) -> float:
        """Seconds to wait, now that it died after so many alive."""
        self.deaths = 1 if alive > STEADY else self.deaths + 1
        return BACK_OFF[min(self.deaths, len(BACK_OFF)) - 1]
