-- processing <- queued, or processing under a lease that ran out. Takes the oldest jobs, expired leases first.
-- KEYS backlog   ARGV root, group, count, lease_ms, max_attempts, pending_ttl_ms, valid_until_ms
-- Returns {claims, last_entry}: each claim {id, token, attempt, waited_ms, payload}, the payload '' when it is gone and the
-- attempt above max_attempts when those are used up; last_entry is the newest entry the backlog ever had, which a
-- worker that got nothing waits to see surpassed.
local backlog, root, group, count, lease_ms = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local max_attempts, pending_ttl = tonumber(ARGV[5]), ARGV[6]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claims = {}

-- A Redis that stalled executes what was sent meanwhile, also for workers that have given up waiting for it. Such a
-- claim would cost its jobs an attempt and a lease, and be held by nobody.
if now > tonumber(ARGV[7]) then return {claims, '0-0'} end

local function take(entry, id)
  local job, payload = root .. 'job:' .. id, root .. 'image:' .. id
  local status, current, attempts, created_at =
    unpack(redis.call('HMGET', job, 'status', 'entry', 'attempts', 'created_at'))
  if current ~= entry or (status ~= 'queued' and status ~= 'processing') then -- the job expired
    redis.call('XACK', backlog, group, entry)
    redis.call('XDEL', backlog, entry)
    return
  end
  local attempt = tonumber(attempts or 0) + 1
  local token = redis.call('HINCRBY', job, 'token', 1)
  redis.call('HSET', job, 'status', 'processing', 'attempts', math.min(attempt, max_attempts), 'started_at', now)
  redis.call('PEXPIRE', job, pending_ttl)
  redis.call('PEXPIRE', payload, pending_ttl)
  claims[#claims + 1] = {id, token, attempt, now - tonumber(created_at), redis.call('GET', payload) or ''}
end

local function take_all(entries)
  for _, entry in ipairs(entries) do
    if entry then take(entry[1], entry[2][2]) end -- false, from Redis 6.2, is an entry someone deleted by hand
  end
end

local cursor = '0-0'
repeat
  local expired = redis.pcall('XAUTOCLAIM', backlog, group, group, lease_ms, cursor, 'COUNT', count - #claims)
  if expired.err then -- no stream or no group yet: the group starts at 0, so nothing submitted before is missed
    if not string.find(expired.err, 'NOGROUP', 1, true) then return expired end
    redis.call('XGROUP', 'CREATE', backlog, group, '0', 'MKSTREAM')
    break
  end
  cursor = expired[1]
  take_all(expired[2])
until cursor == '0-0' or #claims >= count

while #claims < count do
  local fresh = redis.call('XREADGROUP', 'GROUP', group, group, 'COUNT', count - #claims, 'STREAMS', backlog, '>')
  if not fresh then break end
  take_all(fresh[1][2])
end

redis.call('PEXPIRE', backlog, pending_ttl)
local info, last_entry = redis.call('XINFO', 'STREAM', backlog), '0-0'
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last_entry = info[i + 1] end
end
return {claims, last_entry}
