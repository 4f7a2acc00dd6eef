"""The jobs' record in Redis: one hash a job, which attempt counts, who carries it, whether it is over.

Knows keys and the small scripts that change them in one step. Who calls them and why stands in `client` and `tasks`.

    frontdesk:job:<id>        hash with TTL: attempt, state (queued | running | ended), worker, reply, queue, message,
                              ending
    frontdesk:queues          set: every queue that a job was ever put into
    frontdesk:cancelled:<id>  there: the job was cancelled; with TTL
    frontdesk:worker:<name>   a worker's heartbeat: its info as JSON; gone after HEARTBEAT_SILENCE
    frontdesk:workers         sorted set of workers' names by the time of their last heartbeat
    frontdesk:replies:<id>    a bot process's reply stream
    frontdesk:cancel          channel: "<below> <id>": stop attempts of the job that are lower than `below`
"""

from __future__ import annotations

CHANNEL = "frontdesk:cancel"
WORKERS = "frontdesk:workers"
QUEUES = "frontdesk:queues"

HEARTBEAT = 1.0  # seconds between two of a worker's heartbeats
HEARTBEAT_SILENCE = 4.0  # seconds after which it counts as dead: three beats lost, and P3's ten seconds kept

# Longer than the longest job (600 s) and its stay in the queue: a cancelled job that is still to come must find it.
CANCELLED_SECONDS = 3600

# An ended job is remembered until nobody can ask for it again; a redelivery that finds no record is dropped as well.
ENDED_SECONDS = 120
# After its deadline a job's record stays this long, so that its last events still find everything in place.
MARGIN_SECONDS = 120

ALL_ATTEMPTS = 2**53 - 1  # the largest whole number that Lua's doubles hold


def job_key(job: str) -> str:
    return f"frontdesk:job:{job}"


def cancelled_key(job: str) -> str:
    return f"frontdesk:cancelled:{job}"


def worker_key(name: str) -> str:
    return f"frontdesk:worker:{name}"


# Put a job into its queue, unless it was cancelled, is no news, or too many wait.
# The number that wait is the queue's own length: no counter that could leak when somebody dies. A worker takes no more
# than it runs (prefetch 1, late ack), so the list holds exactly those that wait.
# KEYS job, cancelled, queue, queues
# ARGV attempt, message, reply, limit ("" for none), push command, ttl ms, ending, id, channel
SUBMIT = """
local old = redis.call('HMGET', KEYS[1], 'attempt', 'reply', 'message', 'state', 'queue')
if old[1] and tonumber(old[1]) >= tonumber(ARGV[1]) then return {'old', old[1], old[2] or ''} end
if redis.call('EXISTS', KEYS[2]) == 1 then return {'cancelled', '', ''} end
local waiting = redis.call('LLEN', KEYS[3])
if ARGV[4] ~= '' and waiting >= tonumber(ARGV[4]) then return {'busy', tostring(waiting), ''} end
if old[4] == 'queued' and old[3] then redis.call('LREM', old[5] or KEYS[3], 0, old[3]) end
if old[4] == 'running' then redis.call('PUBLISH', ARGV[9], ARGV[1] .. ' ' .. ARGV[8]) end
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'state', 'queued', 'worker', '', 'reply', ARGV[3],
           'queue', KEYS[3], 'message', ARGV[2], 'ending', ARGV[7])
redis.call('SADD', KEYS[4], KEYS[3])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call(ARGV[5], KEYS[3], ARGV[2])
return {'queued', tostring(waiting), ''}
"""

# Is a queued job's message in no list? KEYS job; ARGV attempt
MISSING = """
local job = redis.call('HMGET', KEYS[1], 'attempt', 'state', 'message', 'queue')
if job[1] ~= ARGV[1] or job[2] ~= 'queued' or not job[4] or redis.call('LPOS', job[4], job[3]) then return 0 end
return 1
"""

# How many are before a job in its queue, whose next is on the right; -1 where it does not wait. KEYS job
PLACE = """
local job = redis.call('HMGET', KEYS[1], 'message', 'queue')
local place = job[1] and job[2] and redis.call('LPOS', job[2], job[1])
if not place then return {-1, ''} end
return {redis.call('LLEN', job[2]) - place - 1, job[2]}
"""

# Put it back: its worker died between taking it and claiming it. KEYS job; ARGV attempt
RESTORE = """
local job = redis.call('HMGET', KEYS[1], 'attempt', 'state', 'message', 'queue')
if job[1] ~= ARGV[1] or job[2] ~= 'queued' or not job[4] or redis.call('LPOS', job[4], job[3]) then return 0 end
redis.call('RPUSH', job[4], job[3])
return 1
"""

# Take one that waits out again, where nobody will ever come for it: it may be asked for anew, elsewhere.
# KEYS job; ARGV attempt, ttl s
WITHDRAW = """
local job = redis.call('HMGET', KEYS[1], 'attempt', 'state', 'message', 'queue')
if job[1] ~= ARGV[1] or job[2] ~= 'queued' or redis.call('LREM', job[4], 0, job[3]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'state', 'ended')
redis.call('HDEL', KEYS[1], 'message')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

# A worker asks for one attempt. Only a queued one is given out, and once: whatever else Celery delivers again (a
# visibility timeout, a restored message) is running, over or superseded, and only the reaper raises `attempt`.
# KEYS job, cancelled; ARGV attempt, worker
CLAIM = """
local job = redis.call('HMGET', KEYS[1], 'attempt', 'state')
if not job[1] then return 'gone' end
if job[1] ~= ARGV[1] then return 'superseded' end
if job[2] ~= 'queued' then return job[2] end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'cancelled' end
redis.call('HSET', KEYS[1], 'state', 'running', 'worker', ARGV[2])
redis.call('HDEL', KEYS[1], 'message')
return 'yours'
"""

# Write down that one attempt is over. KEYS job; ARGV attempt, ttl s
END = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'ended')
redis.call('HDEL', KEYS[1], 'message')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

# Cancel a job: one that still waits ends here and now, and its place in the queue is free; a running one is told.
# KEYS cancelled, job; ARGV id, cancelled ttl s, channel, all attempts, ended ttl s, stream length
CANCEL = """
redis.call('SET', KEYS[1], '1', 'EX', ARGV[2])
local job = redis.call('HMGET', KEYS[2], 'state', 'message', 'reply', 'ending', 'queue')
if job[1] == 'queued' and job[5] and redis.call('LREM', job[5], 0, job[2]) > 0 then
  redis.call('HSET', KEYS[2], 'state', 'ended')
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  redis.call('XADD', job[3], 'MAXLEN', '~', ARGV[6], '*', 'e', job[4])
  redis.call('EXPIRE', job[3], ARGV[5])
  return 1
end
redis.call('PUBLISH', ARGV[3], ARGV[4] .. ' ' .. ARGV[1])
return 0
"""
