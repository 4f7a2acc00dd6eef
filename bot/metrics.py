"""What the bot counts, as Prometheus metrics on a registry of its own.

Names follow the field (vLLM's for latencies). Knows nothing of how the numbers come about.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Seconds. Fine below one second, where people notice; the last bucket is the longest answer we allow.
LATENCY = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """One per process, passed to whoever counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter(
            "frontdesk_messages_received", "Messages taken in", ["channel", "outcome"], registry=self.registry
        )
        self.answers = Counter(
            "frontdesk_answers",
            "Answers ended",
            ["channel", "finish_reason", "model"],
            registry=self.registry,
        )
        self.running = Gauge(
            "frontdesk_answers_running", "Answers under way in this process", registry=self.registry
        )
        self.first_piece = Histogram(
            "frontdesk_time_to_first_piece_seconds",
            "From the start of an answer to its first judged piece",
            ["model"],
            buckets=LATENCY,
            registry=self.registry,
        )
        self.answer_seconds = Histogram(
            "frontdesk_answer_seconds",
            "From the start of an answer to its end",
            ["model"],
            buckets=LATENCY,
            registry=self.registry,
        )
        self.tokens = Counter("frontdesk_tokens", "Tokens read and written", ["kind"], registry=self.registry)
        self.screen_failures = Counter(
            "frontdesk_screen_failures",
            "Answers stopped because a check itself failed",
            registry=self.registry,
        )
        self.postponed = Counter(
            "frontdesk_answers_postponed",
            "Answers put back because the queue or the model was away",
            registry=self.registry,
        )
        self.viewers = Gauge(
            "frontdesk_web_viewers", "Open event streams of the widget", registry=self.registry
        )
