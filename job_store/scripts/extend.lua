-- processing <- processing. Starts the lease anew: the worker is alive and still at it.
-- KEYS job, backlog   ARGV token, group
-- Returns 1, or 0 when the attempt is outdated.
local status, token, entry = unpack(redis.call('HMGET', KEYS[1], 'status', 'token', 'entry'))
if status ~= 'processing' or token ~= ARGV[1] then return 0 end
local extended = redis.pcall('XCLAIM', KEYS[2], ARGV[2], ARGV[2], 0, entry, 'JUSTID')
if extended.err and not string.find(extended.err, 'NOGROUP', 1, true) then return extended end
return 1 -- also when the backlog was lost: then nobody else can take the job, and its answer is still wanted
