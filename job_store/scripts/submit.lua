-- queued <- nothing. Accepts a job: hash, payload and backlog entry in one step, or none of them.
-- KEYS job, payload, backlog   ARGV id, payload, provisional, max_backlog, pending_ttl_ms
-- Returns 'accepted', 'taken' (the id is in use) or 'full'.
local job, payload, backlog = KEYS[1], KEYS[2], KEYS[3]
local ttl = ARGV[5]

if redis.call('EXISTS', job) == 1 then return 'taken' end
if redis.call('XLEN', backlog) >= tonumber(ARGV[4]) then return 'full' end

-- The first write is the one Redis refuses when its memory is full; after it, the rest goes through.
local stored = redis.pcall('SET', payload, ARGV[2], 'PX', ttl)
if stored.err then
  if string.find(stored.err, 'OOM', 1, true) then return 'full' end
  return stored
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entry = redis.call('XADD', backlog, '*', 'id', ARGV[1])
redis.call('HSET', job, 'status', 'queued', 'entry', entry, 'provisional', ARGV[3], 'created_at', now)
redis.call('PEXPIRE', job, ttl)
redis.call('PEXPIRE', backlog, ttl)
return 'accepted'
