-- failed <- failed. Takes a dead letter off the list and drops its payload. A job that was replayed meanwhile is left be.
-- KEYS payload, dead_letters   ARGV id
-- Returns 1, or 0 when there is no such dead letter.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[1])
return 1
