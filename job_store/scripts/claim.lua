-- queued, or processing with an expired lease -> processing
-- Claims up to `count` jobs, oldest first, those with an expired lease before all others.
-- Returns {claims, last_entry}. Each claim is {id, token, attempt, waited_ms, payload}. The payload is '' when it is no
-- longer stored; the attempt exceeds max_attempts when the attempts are used up. last_entry is the newest entry the
-- backlog ever had: a worker that got no job waits for a newer one.
local backlog = KEYS[1]
local root, group, count, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local max_attempts, pending_ttl_ms, valid_until_ms = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claims = {}

-- After a stall, Redis also executes the commands of workers that have timed out since. Such a claim would cost its jobs
-- an attempt, and a lease during which no worker has them.
if now > valid_until_ms then return {claims, '0-0'} end

local function claim(entry, id)
  local job, payload = root .. 'job:' .. id, root .. 'image:' .. id
  local status, current_entry, attempts, created_at =
    unpack(redis.call('HMGET', job, 'status', 'entry', 'attempts', 'created_at'))
  if current_entry ~= entry or (status ~= 'queued' and status ~= 'processing') then -- the job expired
    redis.call('XACK', backlog, group, entry)
    redis.call('XDEL', backlog, entry)
    return
  end
  local attempt = tonumber(attempts or 0) + 1
  local token = redis.call('HINCRBY', job, 'token', 1)
  redis.call('HSET', job, 'status', 'processing', 'attempts', math.min(attempt, max_attempts), 'started_at', now)
  redis.call('PEXPIRE', job, pending_ttl_ms)
  redis.call('PEXPIRE', payload, pending_ttl_ms)
  claims[#claims + 1] = {id, token, attempt, now - tonumber(created_at), redis.call('GET', payload) or ''}
end

local function claim_all(entries)
  for _, entry in ipairs(entries) do
    if entry then claim(entry[1], entry[2][2]) end -- since Redis 6.2, an entry that was deleted by hand is false
  end
end

local cursor = '0-0'
repeat
  local expired = redis.pcall('XAUTOCLAIM', backlog, group, group, lease_ms, cursor, 'COUNT', count - #claims)
  if expired.err then -- there is no stream or no group yet; the group starts at 0 to include all earlier entries
    if not string.find(expired.err, 'NOGROUP', 1, true) then return expired end
    redis.call('XGROUP', 'CREATE', backlog, group, '0', 'MKSTREAM')
    break
  end
  cursor = expired[1]
  claim_all(expired[2])
until cursor == '0-0' or #claims >= count

while #claims < count do
  local unclaimed = redis.call('XREADGROUP', 'GROUP', group, group, 'COUNT', count - #claims, 'STREAMS', backlog, '>')
  if not unclaimed then break end
  claim_all(unclaimed[1][2])
end

redis.call('PEXPIRE', backlog, pending_ttl_ms)
local info, last_entry = redis.call('XINFO', 'STREAM', backlog), '0-0'
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last_entry = info[i + 1] end
end
return {claims, last_entry}
