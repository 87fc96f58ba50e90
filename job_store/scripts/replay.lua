-- failed -> queued
-- Queues a dead letter again, with all its attempts. Its owner may then have more jobs than it could submit.
-- Returns 1, or 0 when there is no such dead letter or its payload is no longer stored.
local job, payload, backlog, dead_letters = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, pending_ttl_ms, root = ARGV[1], ARGV[2], ARGV[3]
if not redis.call('ZSCORE', dead_letters, id) then return 0 end
if redis.call('HGET', job, 'status') ~= 'failed' or redis.call('EXISTS', payload) == 0 then return 0 end
redis.call('ZREM', dead_letters, id)
local entry = redis.call('XADD', backlog, '*', 'id', id)
redis.call('HSET', job, 'status', 'queued', 'entry', entry, 'attempts', 0)
redis.call('HDEL', job, 'error', 'started_at', 'completed_at')
for _, key in ipairs({job, payload, backlog}) do redis.call('PEXPIRE', key, pending_ttl_ms) end
keep_owned(root, redis.call('HGET', job, 'owner'), id, clock_ms(), pending_ttl_ms)
return 1
