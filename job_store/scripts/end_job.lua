-- Shared by end.lua and claim.lua: these check that the job is processing, this records how it ended.
-- A dead letter keeps its payload, so that it can be inspected and replayed. Beyond the limits on dead letters, the
-- oldest ones are dropped with their payloads.
local function drop_dead_letter(root, id)
  redis.call('DEL', root .. 'image:' .. id)
  redis.call('ZREM', root .. 'dead_letters', id)
end

-- The stored sum is at least the size of all payloads, because it is not reduced when one is deleted or expires. Only
-- when it exceeds the limit are the payloads measured. To make that rare, a tenth of the limit is freed.
local function limit_dead_letters(root, new_payload, limits)
  local dead_letters, sum = root .. 'dead_letters', root .. 'dead_letter_bytes'
  local surplus = redis.call('ZCARD', dead_letters) - limits.max_dead_letters
  if surplus > 0 then
    for _, id in ipairs(redis.call('ZRANGE', dead_letters, 0, surplus - 1)) do drop_dead_letter(root, id) end
  end
  local is_below_limit = redis.call('INCRBY', sum, redis.call('STRLEN', new_payload)) <= limits.max_dead_letter_bytes
  redis.call('PEXPIRE', sum, limits.job_ttl_ms)
  if is_below_limit then return end
  local kept_bytes, is_full = 0, false
  for i, id in ipairs(redis.call('ZREVRANGE', dead_letters, 0, -1)) do
    local bytes = redis.call('STRLEN', root .. 'image:' .. id)
    is_full = is_full or (i > 1 and kept_bytes + bytes > 0.9 * limits.max_dead_letter_bytes)
    if is_full then drop_dead_letter(root, id) else kept_bytes = kept_bytes + bytes end
  end
  redis.call('SET', sum, kept_bytes, 'PX', limits.job_ttl_ms)
end

local function end_job(root, group, id, entry, status, field, value, limits)
  local job, payload, backlog, dead_letters =
    root .. 'job:' .. id, root .. 'image:' .. id, root .. 'backlog', root .. 'dead_letters'
  local now = clock_ms()
  -- The writes that free memory come first: after them, Redis completes the script even when its memory is full.
  redis.call('XACK', backlog, group, entry)
  redis.call('XDEL', backlog, entry)
  release_owned(root, redis.call('HGET', job, 'owner'), id)
  if status == 'failed' then
    redis.call('PEXPIRE', payload, limits.job_ttl_ms)
    redis.call('ZADD', dead_letters, now, id)
    redis.call('PEXPIRE', dead_letters, limits.job_ttl_ms)
    limit_dead_letters(root, payload, limits)
  else
    redis.call('DEL', payload)
  end
  redis.call('HSET', job, 'status', status, field, value, 'completed_at', now)
  redis.call('HDEL', job, 'entry')
  redis.call('PEXPIRE', job, limits.job_ttl_ms)
  redis.call('PUBLISH', root .. 'ended', id)
end
