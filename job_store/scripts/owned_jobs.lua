-- Shared by the scripts that start, renew or end a job: each owner has a sorted set of unfinished jobs, by the time when
-- their hashes expire. A job that expires needs no script to be no longer counted.
local function keep_owned(root, owner, id, now, ttl_ms)
  if not owner or owner == '' then return end
  local unfinished = root .. 'unfinished:' .. owner
  redis.call('ZREMRANGEBYSCORE', unfinished, '-inf', now)
  redis.call('ZADD', unfinished, now + ttl_ms, id)
  redis.call('PEXPIRE', unfinished, ttl_ms)
end

local function release_owned(root, owner, id)
  if owner and owner ~= '' then redis.call('ZREM', root .. 'unfinished:' .. owner, id) end
end

local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

