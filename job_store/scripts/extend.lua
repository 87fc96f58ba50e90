-- processing -> processing, with a renewed lease and renewed times to live
-- Returns 1, or 0 when the claim is outdated.
local job, payload, backlog = KEYS[1], KEYS[2], KEYS[3]
local token, group, pending_ttl_ms, root, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local status, current_token, entry, owner = unpack(redis.call('HMGET', job, 'status', 'token', 'entry', 'owner'))
if status ~= 'processing' or current_token ~= token then return 0 end
for _, key in ipairs({job, payload, backlog}) do redis.call('PEXPIRE', key, pending_ttl_ms) end
keep_owned(root, owner, id, clock_ms(), pending_ttl_ms)
local extended = redis.pcall('XCLAIM', backlog, group, group, 0, entry, 'JUSTID')
if extended.err and not string.find(extended.err, 'NOGROUP', 1, true) then return extended end
return 1 -- also when the backlog was lost: no other worker can claim the job then, so its result is still needed
