"""What one engine counts, as Prometheus metrics on a registry of its own.

Names and meanings follow vLLM's, with our prefix. Knows nothing of how the numbers come about or who reads them.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Seconds: steps of a small model on a GPU take milliseconds, a long queue on a CPU minutes.
LATENCY = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
SPREAD = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)  # tokens
CALLBACK = (1e-6, 2e-6, 5e-6, 1e-5, 1.5e-5, 3e-5, 1e-4, 1e-3)


class Measures:
    """One per engine, passed to whoever counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def gauge(name: str, says: str) -> Gauge:
            return Gauge(f"frontdesk_engine_{name}", says, registry=registry)

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"frontdesk_engine_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, buckets: tuple[float, ...] = LATENCY) -> Histogram:
            return Histogram(f"frontdesk_engine_{name}", says, buckets=buckets, registry=registry)

        self.running = gauge("requests_running", "Rows that are being decoded")
        self.waiting = gauge("requests_waiting", "Rows that wait for a replica")
        self.memory_used = gauge("kv_budget_used_ratio", "Share of the budget for attention states in use")
        self.prefixes = gauge("prefixes", "Shared prompt beginnings kept ready")
        self.queue_time = histogram("request_queue_time_seconds", "From submit to the start of its cohort")
        self.first_token = histogram("time_to_first_token_seconds", "From submit to the first token")
        self.between_tokens = histogram("inter_token_latency_seconds", "From one token of a row to its next")
        self.whole = histogram("e2e_request_latency_seconds", "From submit to the end of the row")
        self.prompt_length = histogram("request_prompt_tokens", "Prompt tokens of each request", TOKENS)
        self.answer_length = histogram("request_generation_tokens", "New tokens of each request", TOKENS)
        self.prompt_tokens = counter("prompt_tokens", "Prompt tokens of the requests that ended")
        self.new_tokens = counter("generation_tokens", "New tokens of the requests that ended")
        self.ended = counter("request_success", "Requests that ended", "finished_reason")
        self.cohort_rows = histogram("cohort_rows", "Rows that began to be decoded together", ROWS)
        self.cohort_spread = histogram(
            "cohort_length_spread_tokens", "Longest minus shortest prompt in a cohort", SPREAD
        )
        self.prefix_queries = counter("prefix_cache_queries", "Requests that name a shared prompt beginning")
        self.prefix_hits = counter("prefix_cache_hits", "Requests whose shared prompt beginning was ready")
        self.callback = histogram(
            "callback_seconds", "Python's part of a decoding step, for one row", CALLBACK
        )
        self.out_of_memory = counter("out_of_memory", "Cohorts that were split since the device was full")
