-- queued, or processing with an expired lease -> processing, or failed
-- Claims queued jobs, oldest first: up to `count`, whose payloads together have at most `max_bytes` unless a single one
-- has more. While any lease has expired, it claims none of them. A claim with `recover` then takes the oldest job with an
-- expired lease, alone, because its payload may have killed its worker. A job fails, and its payload is not sent, when
-- its attempts are used up or its payload is no longer stored.
-- Returns {outcome, claims, last_entry, failed}. The outcome is 'late', 'expired' (a lease has expired) or 'ok'. Each claim is
-- {id, token, attempt, waited_ms, payload}. last_entry is the newest entry the backlog ever had: a worker that got no
-- job waits for a newer one. Each failed job is {id, error}.
local backlog = KEYS[1]
local root, group, count, max_bytes, recover = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local lease_ms, max_attempts, pending_ttl_ms, valid_until_ms = ARGV[6], tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
local limits = {
  job_ttl_ms = ARGV[10], max_dead_letters = tonumber(ARGV[11]), max_dead_letter_bytes = tonumber(ARGV[12]),
}
local now = clock_ms()
local claims, claimed_bytes, failed = {}, 0, {}

-- After a stall, Redis executes also the commands of workers that have timed out meanwhile. Such a claim would cost its
-- jobs an attempt and a lease although no worker has them.
if now > valid_until_ms then return {'late', claims, '0-0', failed} end

-- Bounds the time that Redis spends here when thousands of jobs have used up their attempts.
local MAX_FAILED = 100

local function fail(id, entry, error)
  failed[#failed + 1] = {id, error}
  end_job(root, group, id, entry, 'failed', 'error', error, limits)
end

local function claim(entry, id)
  local job, payload = root .. 'job:' .. id, root .. 'image:' .. id
  local status, current_entry, attempts, created_at, owner =
    unpack(redis.call('HMGET', job, 'status', 'entry', 'attempts', 'created_at', 'owner'))
  if current_entry ~= entry or (status ~= 'queued' and status ~= 'processing') then -- the job expired
    redis.call('XACK', backlog, group, entry)
    redis.call('XDEL', backlog, entry)
    return
  end
  local attempt, token = tonumber(attempts or 0) + 1, redis.call('HINCRBY', job, 'token', 1)
  if attempt > max_attempts then
    return fail(id, entry, 'gave up after ' .. max_attempts .. ' attempts, none of which completed')
  end
  redis.call('HSET', job, 'status', 'processing', 'attempts', attempt, 'started_at', now)
  local bytes = redis.call('GET', payload)
  if not bytes then return fail(id, entry, 'the submitted payload is no longer stored; submit it again') end
  redis.call('PEXPIRE', job, pending_ttl_ms)
  redis.call('PEXPIRE', payload, pending_ttl_ms)
  keep_owned(root, owner, id, now, pending_ttl_ms)
  claims[#claims + 1] = {id, token, attempt, now - tonumber(created_at), bytes}
  claimed_bytes = claimed_bytes + #bytes
end

local function value_of(reply, name) -- of a flat list of names and values
  for i = 1, #reply, 2 do
    if reply[i] == name then return reply[i + 1] end
  end
end

local function find_expired()
  return redis.pcall('XPENDING', backlog, group, 'IDLE', lease_ms, '-', '+', 1)
end

local function claim_expired(expired)
  while expired[1] and #claims == 0 and #failed < MAX_FAILED do
    local entry = expired[1][1]
    local claimed = redis.call('XCLAIM', backlog, group, group, 0, entry)[1]
    if claimed then
      claim(entry, claimed[2][2])
    else -- the entry was deleted by hand
      redis.call('XACK', backlog, group, entry)
    end
    expired = find_expired()
  end
end

local function claim_queued()
  local last = value_of(redis.call('XINFO', 'GROUPS', backlog)[1], 'last-delivered-id')
  while #claims < count and #failed < MAX_FAILED do
    local queued = redis.call('XRANGE', backlog, '(' .. last, '+', 'COUNT', 1)[1]
    if not queued then break end
    local entry, id = queued[1], queued[2][2]
    if #claims > 0 and claimed_bytes + redis.call('STRLEN', root .. 'image:' .. id) > max_bytes then break end
    redis.call('XREADGROUP', 'GROUP', group, group, 'COUNT', 1, 'STREAMS', backlog, '>')
    claim(entry, id)
    last = entry
  end
end

-- Redis with a full memory completes a script whose first write needs no memory, as this one does.
redis.call('PEXPIRE', backlog, pending_ttl_ms)
local outcome, expired = 'ok', find_expired()
if expired.err then -- there is no stream or no group yet; the group starts at 0 to include all earlier entries
  if not string.find(expired.err, 'NOGROUP', 1, true) then return expired end
  redis.call('XGROUP', 'CREATE', backlog, group, '0', 'MKSTREAM')
  redis.call('PEXPIRE', backlog, pending_ttl_ms)
  expired = {}
end
if recover then
  claim_expired(expired)
elseif expired[1] then
  outcome = 'expired'
else
  claim_queued()
end
return {outcome, claims, value_of(redis.call('XINFO', 'STREAM', backlog), 'last-generated-id'), failed}
