-- processing <- processing. Starts the lease anew: the worker is alive and still at it.
-- KEYS job, backlog   ARGV token, group
-- Returns 1, or 0 when the attempt is outdated.
local status, token, entry = unpack(redis.call('HMGET', KEYS[1], 'status', 'token', 'entry'))
if status ~= 'processing' or token ~= ARGV[1] then return 0 end
redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[2], 0, entry, 'JUSTID')
return 1
