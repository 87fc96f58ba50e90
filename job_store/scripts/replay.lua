-- queued <- failed, on an operator's word. A dead letter goes back to the backlog with all its attempts.
-- KEYS job, payload, backlog, dead_letters   ARGV id, pending_ttl_ms
-- Returns 1, or 0 when there is no such dead letter or its payload is gone.
local job, payload, backlog, dead_letters = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if not redis.call('ZSCORE', dead_letters, ARGV[1]) then return 0 end
if redis.call('HGET', job, 'status') ~= 'failed' or redis.call('EXISTS', payload) == 0 then return 0 end
redis.call('ZREM', dead_letters, ARGV[1])
local entry = redis.call('XADD', backlog, '*', 'id', ARGV[1])
redis.call('HSET', job, 'status', 'queued', 'entry', entry, 'attempts', 0)
redis.call('HDEL', job, 'error', 'started_at', 'completed_at')
for _, key in ipairs({job, payload, backlog}) do redis.call('PEXPIRE', key, ARGV[2]) end
return 1
