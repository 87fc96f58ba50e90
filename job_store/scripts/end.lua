-- succeeded | failed <- processing. Records how an attempt ended, drops the payload, acknowledges the entry: one step.
-- KEYS job, payload, backlog, dead_letters
-- ARGV id, token, status, field, value, job_ttl_ms, max_dead_letters, group, ended, root
-- Returns 1 when the job now has this end (also when this very attempt recorded it before), 0 when the attempt is
-- outdated: another holds the job, or it has ended.
local job, payload, backlog, dead_letters = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, token, new_status, job_ttl, group, root = ARGV[1], ARGV[2], ARGV[3], ARGV[6], ARGV[8], ARGV[10]

local status, current, entry = unpack(redis.call('HMGET', job, 'status', 'token', 'entry'))
if current ~= token then return 0 end
if status == new_status then return 1 end
if status ~= 'processing' then return 0 end

-- First the writes that free memory: with these done, Redis lets the script finish even when its memory is full.
redis.call('XACK', backlog, group, entry)
redis.call('XDEL', backlog, entry)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if new_status == 'failed' then -- a dead letter keeps its payload, so that it can be looked at and replayed
  redis.call('PEXPIRE', payload, job_ttl)
  redis.call('ZADD', dead_letters, now, id)
  redis.call('PEXPIRE', dead_letters, job_ttl)
  local surplus = redis.call('ZCARD', dead_letters) - tonumber(ARGV[7])
  if surplus > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', dead_letters, 0, surplus - 1)) do
      redis.call('DEL', root .. 'image:' .. oldest)
      redis.call('ZREM', dead_letters, oldest)
    end
  end
else
  redis.call('DEL', payload)
end
redis.call('HSET', job, 'status', new_status, ARGV[4], ARGV[5], 'completed_at', now)
redis.call('HDEL', job, 'entry')
redis.call('PEXPIRE', job, job_ttl)
redis.call('PUBLISH', ARGV[9], id)
return 1
