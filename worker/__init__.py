"""The queue between people and models, both ends: jobs and events, the bot's end, the worker's.

Knows Redis, Celery and the engine's door. Knows neither people nor policies nor a database. Start with `jobs` (what
crosses the wire), then `client` (asking), `forecast` (how long that would take), `ledger` (who carries what), `tasks`
(doing), `telling` and `stream` (what is answered), `serve` and `ending` (a worker's life), `supervisor` (several
workers' lives) and `residents` (with which models).
`stub` keeps the client's promises without any of it.

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
2026-11  Admission (P5) is a number in the same Lua step: how many may be in the queue so that one more begins within
         FRONTDESK_MAX_WAIT, from the workers' last heartbeats, which every queue reads each second anyway. A look at
         them for each question would cost it two round trips. What is ahead are the tokens of rows that wait in the
         engines (their own measure) and in the queue (the mean of this process's answers), over the sum of the
         measured speeds. Counting the rows that run as well was tried on paper and dropped: one long answer would
         have turned everybody away from a worker that decodes 32. Free places are filled whatever is predicted.
2026-11  Celery takes as many jobs as the engine has places, and half as many again (eight at most): the engine chooses
         its cohorts among more, and no place stays empty while a message comes. What waits longer waits in Redis,
         where any worker may take it.
2026-11  The engine's metrics travel as text with the heartbeat, made anew every five seconds only: 2 to 3 ms of Python
         (16 ms on two busy cores), which no decoding step should wait for each second.
2026-11  One process a GPU, each with its own CUDA_VISIBLE_DEVICES: CTranslate2 takes a context on GPU 0 whatever index
         it is given. The supervisor asks for their number in a process of its own, for the same reason.
2026-11  A process for each model, exchanged by the supervisor, and not two engines in one process: a model that cannot
         be loaded, or takes the memory of all, ends nobody else's answers; what CTranslate2 never gives back (states
         of shared beginnings) is given back; and retiring is the end that a worker knows anyway. It costs a light
         process more (the supervisor) and a second interpreter for some seconds.
2026-11  A queue for each model. One queue for all was tried on paper: a worker that takes a job for the other model
         would have to hand it back, and get it again at once. A job whose model nobody has any more is withdrawn by
         the reaper, and its message is answered by the model that is there.
2026-11  From `queue.answer` to the first piece, over the bare engine: 5 to 7 ms on two busy cores (client to BRPOP 0.9,
         Celery 2.1, claim 0.5, publish 1.5, reader 0.5). Celery's share is its own; the rest is one round trip each.
"""
