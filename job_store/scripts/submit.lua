-- no job -> queued
-- Accepts a job: stores its hash, payload and backlog entry, or none of them.
-- An `owner` other than '' may have up to `max_queued` unfinished jobs; 0 is no limit.
-- Returns 'accepted', 'taken' (the id is in use or withdrawn), 'full' (the backlog), 'quota exceeded' or 'out of memory'.
local job, payload, backlog, withdrawn = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, payload_bytes, provisional = ARGV[1], ARGV[2], ARGV[3]
local max_backlog, pending_ttl_ms = tonumber(ARGV[4]), ARGV[5]
local root, owner, max_queued = ARGV[6], ARGV[7], tonumber(ARGV[8])
local now = clock_ms()

if redis.call('EXISTS', job, withdrawn) > 0 then return 'taken' end
if redis.call('XLEN', backlog) >= max_backlog then return 'full' end
if max_queued > 0 and redis.call('ZCOUNT', root .. 'unfinished:' .. owner, '(' .. now, '+inf') >= max_queued then
  return 'quota exceeded'
end

-- When its memory is full, Redis refuses only the first write of a script: if it stores the payload, the rest succeeds.
local stored = redis.pcall('SET', payload, payload_bytes, 'PX', pending_ttl_ms)
if stored.err then
  if string.find(stored.err, 'OOM', 1, true) then return 'out of memory' end
  return stored
end
local entry = redis.call('XADD', backlog, '*', 'id', id)
redis.call('HSET', job, 'status', 'queued', 'entry', entry, 'provisional', provisional, 'created_at', now)
if owner ~= '' then redis.call('HSET', job, 'owner', owner) end
redis.call('PEXPIRE', job, pending_ttl_ms)
redis.call('PEXPIRE', backlog, pending_ttl_ms)
keep_owned(root, owner, id, now, pending_ttl_ms)
return 'accepted'
