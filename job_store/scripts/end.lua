-- processing -> succeeded or failed
-- Records how the job ended, removes its backlog entry and, unless it failed, its payload, and publishes its id.
-- Returns 1 when the job has this status (also when the same claim has recorded it before), or 0 when the claim is
-- outdated.
local job, payload, backlog, dead_letters = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, token, new_status, field, value, job_ttl_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local max_dead_letters, group, ended_channel, root = tonumber(ARGV[7]), ARGV[8], ARGV[9], ARGV[10]

local status, current_token, entry = unpack(redis.call('HMGET', job, 'status', 'token', 'entry'))
if current_token ~= token then return 0 end
if status == new_status then return 1 end
if status ~= 'processing' then return 0 end

-- The writes that free memory come first: after them, Redis completes the script even when its memory is full.
redis.call('XACK', backlog, group, entry)
redis.call('XDEL', backlog, entry)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if new_status == 'failed' then -- a dead letter keeps its payload, so that it can be inspected and replayed
  redis.call('PEXPIRE', payload, job_ttl_ms)
  redis.call('ZADD', dead_letters, now, id)
  redis.call('PEXPIRE', dead_letters, job_ttl_ms)
  local surplus = redis.call('ZCARD', dead_letters) - max_dead_letters
  if surplus > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', dead_letters, 0, surplus - 1)) do
      redis.call('DEL', root .. 'image:' .. oldest)
      redis.call('ZREM', dead_letters, oldest)
    end
  end
else
  redis.call('DEL', payload)
end
redis.call('HSET', job, 'status', new_status, field, value, 'completed_at', now)
redis.call('HDEL', job, 'entry')
redis.call('PEXPIRE', job, job_ttl_ms)
redis.call('PUBLISH', ended_channel, id)
return 1
