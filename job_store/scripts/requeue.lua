-- queued <- processing. Returns a job to the end of the backlog for another worker to take at once.
-- KEYS job, backlog   ARGV id, token, uncount ('1': the attempt was not the job's fault and does not count), group,
-- pending_ttl_ms
-- Returns 1, or 0 when the attempt is outdated.
local job, backlog = KEYS[1], KEYS[2]
local status, token, entry = unpack(redis.call('HMGET', job, 'status', 'token', 'entry'))
if status ~= 'processing' or token ~= ARGV[2] then return 0 end
redis.call('XACK', backlog, ARGV[4], entry)
redis.call('XDEL', backlog, entry)
local again = redis.call('XADD', backlog, '*', 'id', ARGV[1])
redis.call('HSET', job, 'status', 'queued', 'entry', again)
if ARGV[3] == '1' then redis.call('HINCRBY', job, 'attempts', -1) end
redis.call('PEXPIRE', backlog, ARGV[5])
return 1
