"""The queue between people and models, both ends: jobs and events, the bot's end, the worker's.

Knows Redis, Celery and the engine's door. Knows neither people nor policies nor a database. Start with `jobs` (what
crosses the wire), then `client` (asking), `ledger` (who carries what), `tasks` (doing), `telling` and `stream` (what
is answered), `serve` (a worker's life). `stub` keeps the client's promises without any of it.

Decisions, newest last:

2026-11  The client writes Celery's message itself (`message`), in the same Lua step that counts who waits and writes
         the job's record (`ledger.SUBMIT`). `apply_async` was measured: 1.0 ms of Python a message (0.1 ms this way)
         while the event loop stands still, or a thread pool, and 180 ms of import in every bot; and counting and
         pushing would be two steps, between which the queue overflows. A test holds our message against Celery's.
2026-11  Those who wait are counted by the queue's own length, not by a counter, which leaks with every process that
         dies between up and down. It is exact since workers take no more than they run (prefetch 1, late ack).
2026-11  A job has one record, and only a `queued` attempt is given out. Celery's redeliveries (an hour later, or what
         kombu puts back when a worker ends) find it running, ended, superseded or gone, and are acknowledged and
         dropped. Taking over a running attempt whose worker is dead was considered: two workers could tell one
         attempt. Only the asking client raises the attempt; when the bot itself died, its SQL lease does.
2026-11  Cancelling a job that waits takes its message out of the queue and tells its end in one Lua step: the place
         is free at once, whether or not a worker lives.
2026-11  Text is made in the publisher's thread, one pipeline of XADDs a flush. Doing it in the engine's callback was
         dropped: every microsecond there is added to every token.
2026-11  Celery's WorkController, not its Worker: signals are ours (with threads, Celery's SIGQUIT and second SIGTERM
         end in NotImplementedError), and so are logs.
2026-11  From `queue.answer` to the first piece, over the bare engine: 5 to 7 ms on two busy cores (client to BRPOP 0.9,
         Celery 2.1, claim 0.5, publish 1.5, reader 0.5). Celery's share is its own; the rest is one round trip each.
"""
