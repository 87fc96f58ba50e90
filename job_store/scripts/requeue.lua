-- processing -> queued
-- Moves a job to the end of the backlog, where any worker can claim it immediately.
-- Returns 1, or 0 when the claim is outdated.
local job, backlog = KEYS[1], KEYS[2]
local id, token, attempt_counts, group, pending_ttl_ms = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4], ARGV[5]
local status, current_token, entry = unpack(redis.call('HMGET', job, 'status', 'token', 'entry'))
if status ~= 'processing' or current_token ~= token then return 0 end
redis.call('XACK', backlog, group, entry)
redis.call('XDEL', backlog, entry)
redis.call('HSET', job, 'status', 'queued', 'entry', redis.call('XADD', backlog, '*', 'id', id))
if not attempt_counts then redis.call('HINCRBY', job, 'attempts', -1) end
redis.call('PEXPIRE', backlog, pending_ttl_ms)
return 1
