-- failed -> failed, without its payload and no longer a dead letter
-- Returns 1, or 0 when there is no such dead letter, for example because it was replayed.
local payload, dead_letters = KEYS[1], KEYS[2]
local id = ARGV[1]
if redis.call('ZREM', dead_letters, id) == 0 then return 0 end
redis.call('DEL', payload)
return 1
