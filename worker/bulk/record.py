"""What Redis holds of bulk jobs beside the ledger's record of each: the list of them, what was asked, who carries it.

Knows keys and scripts. The attempts of a job, and how it is queued and claimed, stand in `worker.ledger`.

    frontdesk:bulk            sorted set: ids of jobs by the time when they were asked for
    frontdesk:job:<id>        the ledger's hash, and in it: asked (the job as JSON), created, note, fraction, deaths,
                              outcome
    frontdesk:bulk:<id>       stream: what the job told, for whoever watches it whenever they come
    frontdesk:lease:<id>      "<attempt> <worker>": there while somebody carries it
"""

from __future__ import annotations

JOBS = "frontdesk:bulk"
LEASE = 30.0  # seconds; a machine that converts may be slow to answer, and hours do not mind half a minute
RENEW = 2.0  # seconds between two renewals, each of which also looks whether the job is still wanted
KEPT = 7 * 86_400  # seconds that a job can be looked up
DEATHS_MOST = 3  # of workers that carried a job: it is the job that ends them
LENGTH = 2_000  # events kept of a job


def stream_key(job: str) -> str:
    return f"{JOBS}:{job}"


def lease_key(job: str) -> str:
    return f"frontdesk:lease:{job}"


# Hold the lease of an attempt on; 0 when the attempt counts no more. A server that has come back empty is told anew
# what goes on. KEYS lease, job, jobs; ARGV attempt, holder, ttl ms, id, asked, reply, now, record's ttl s
HOLD = """
local job = redis.call('HMGET', KEYS[2], 'attempt', 'state')
if not job[1] then
  redis.call('HSET', KEYS[2], 'attempt', ARGV[1], 'state', 'running', 'worker', ARGV[2], 'asked', ARGV[5],
             'reply', ARGV[6], 'created', ARGV[7], 'note', '')
  redis.call('EXPIRE', KEYS[2], ARGV[8])
  redis.call('ZADD', KEYS[3], ARGV[7], ARGV[4])
elseif job[1] ~= ARGV[1] or job[2] ~= 'running' then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
"""

# Take up what its worker has let go, before anybody else does; returns how many workers have let it go, 0 when there
# is nothing to take up. KEYS lease, job; ARGV attempt, ttl ms
TAKE = """
local job = redis.call('HMGET', KEYS[2], 'attempt', 'state')
if job[1] ~= ARGV[1] or job[2] ~= 'running' or redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' recovery', 'PX', ARGV[2])
return redis.call('HINCRBY', KEYS[2], 'deaths', 1)
"""

# An attempt is over, and its last event is told with that. KEYS lease, job, stream; ARGV attempt, outcome, ttl s,
# event, stream's length
CLOSE = """
local job = redis.call('HMGET', KEYS[2], 'attempt', 'state')
if job[1] ~= ARGV[1] or job[2] == 'ended' then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'state', 'ended', 'outcome', ARGV[2])
redis.call('HDEL', KEYS[2], 'message')
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'e', ARGV[4])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
"""
