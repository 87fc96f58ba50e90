-- processing -> processing, with a renewed lease
-- Returns 1, or 0 when the claim is outdated.
local job, backlog = KEYS[1], KEYS[2]
local token, group = ARGV[1], ARGV[2]
local status, current_token, entry = unpack(redis.call('HMGET', job, 'status', 'token', 'entry'))
if status ~= 'processing' or current_token ~= token then return 0 end
local extended = redis.pcall('XCLAIM', backlog, group, group, 0, entry, 'JUSTID')
if extended.err and not string.find(extended.err, 'NOGROUP', 1, true) then return extended end
return 1 -- also when the backlog was lost: no other worker can claim the job then, so its result is still needed
