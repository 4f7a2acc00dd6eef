"""What the bot counts, as Prometheus metrics on a registry of its own.

Names follow the field (vLLM's for latencies). Knows nothing of how the numbers come about.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from moderation import Direction, Verdict
from moderation.verdict import UNSUPPORTED

# Seconds. Fine below one second, where people notice; the last bucket is the longest answer we allow.
LATENCY = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

# Seconds of the moderator's classifier: a short message takes 2 ms, a window of 256 tokens 20.
JUDGING = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
NOTHING_FOUND = "none"  # the category of a verdict without findings


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
        self.verdicts = Counter(
            "frontdesk_verdicts",
            "Texts judged, once for each category that decided",
            ["channel", "direction", "action", "category"],
            registry=self.registry,
        )
        self.classifier_seconds = Histogram(
            "frontdesk_classifier_seconds",
            "How long the moderator's classifier took for a text, waiting included",
            buckets=JUDGING,
            registry=self.registry,
        )
        self.unsupported = Counter(
            "frontdesk_unsupported_language",
            "Texts in a language that the classifier does not know: rules alone judged them",
            ["channel", "direction"],
            registry=self.registry,
        )
        self.policy_broken = Gauge(
            "frontdesk_policy_broken",
            "Whether the policy file was changed and cannot be used: the one before is still in force",
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

    def judged(self, verdict: Verdict, *, channel: str, direction: Direction) -> None:
        """Count a verdict, under each category that made it what it is."""
        decisive = (f.category or f.check for f in verdict.findings if f.action == verdict.action)
        for category in set(decisive) or {NOTHING_FOUND}:
            self.verdicts.labels(channel, direction, verdict.action, category).inc()
        if verdict.scores.language == UNSUPPORTED:
            self.unsupported.labels(channel, direction).inc()
