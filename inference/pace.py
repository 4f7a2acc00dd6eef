"""How fast this model is here, learned from its own steps: what windows, waits and refusals are computed from.

Knows times and counts. Several decoding loops write without a lock: what one sample may lose there is lost in the mean.
"""

from dataclasses import dataclass

# What one more step weighs beside all before: old ones fade within some thousand steps, so that a machine that
# becomes busy is noticed within a minute.
_FADE = 0.999

# A sample counts as so many times the mean at most: a kernel that is compiled or a laptop that sleeps is no step.
_OUTLIER = 10.0
_SOME = 20  # samples, after which there is a mean

# Tokens of an answer, before one has ended.
_ANSWER = 128.0


@dataclass(frozen=True, slots=True)
class Load:
    """What an engine has to do. `queued_tokens` are the new tokens still expected of all rows, with their unread
    prompts at what they cost in new tokens; `tokens_per_second` is 0 before anything was measured."""

    running: int
    waiting: int
    queued_tokens: int
    tokens_per_second: float
    slots: int


class Pace:
    """Seconds for a step of so many rows (a straight line, least squares), for a prompt token, tokens an answer."""

    def __init__(self) -> None:
        self.answer_tokens = _ANSWER
        self._answers = 0
        self.speed = 0.0  # tokens a second, all rows together, when there was enough to do
        self._weight = self._x = self._y = self._xx = self._xy = 0.0
        self._prompt_tokens = self._prompt_seconds = 0.0

    def on_step(self, *, rows: int, seconds: float) -> None:
        if self._weight >= _SOME:
            seconds = min(seconds, _OUTLIER * self._y / self._weight)
        self._weight = self._weight * _FADE + 1
        self._x = self._x * _FADE + rows
        self._y = self._y * _FADE + seconds
        self._xx = self._xx * _FADE + rows * rows
        self._xy = self._xy * _FADE + rows * seconds

    def on_prefill(self, *, tokens: int, seconds: float) -> None:
        self._prompt_tokens = self._prompt_tokens * 0.9 + tokens
        self._prompt_seconds = self._prompt_seconds * 0.9 + seconds

    def on_end(self, *, tokens: int) -> None:
        self._answers = min(self._answers + 1, 32)
        self.answer_tokens += (tokens - self.answer_tokens) / self._answers

    def on_second(self, *, tokens_per_second: float, saturated: bool) -> None:
        """What came of the last moments; with rows waiting it is the speed, else at least that much."""
        if saturated:
            self.speed += (tokens_per_second - self.speed) * (0.2 if self.speed else 1.0)
        else:
            self.speed = max(self.speed, tokens_per_second)

    def step(self, rows: int) -> float:
        """Seconds for one step of so many rows; 0 before one was seen."""
        if self._weight == 0:
            return 0.0
        mean_x, mean_y = self._x / self._weight, self._y / self._weight
        spread = self._xx / self._weight - mean_x * mean_x
        slope = (self._xy / self._weight - mean_x * mean_y) / spread if spread > 0.1 else 0.0
        # No step is faster for having more rows, and none is free.
        return max(mean_y + max(0.0, slope) * (rows - mean_x), mean_y * 0.2)

    @property
    def prompt_token(self) -> float:
        """Seconds to read one prompt token; 0 before one was read."""
        return self._prompt_seconds / self._prompt_tokens if self._prompt_tokens else 0.0
