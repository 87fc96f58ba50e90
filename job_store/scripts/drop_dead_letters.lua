-- failed -> failed, without their payloads and no longer dead letters
-- Drops the oldest dead letters until `bytes` of payloads are freed, so that a new job finds memory.
-- Returns how many it dropped.
local dead_letters = KEYS[1]
local root, bytes = ARGV[1], tonumber(ARGV[2])
local dropped = 0
while bytes > 0 do
  local id = redis.call('ZRANGE', dead_letters, 0, 0)[1]
  if not id then break end
  local payload = root .. 'image:' .. id
  bytes = bytes - redis.call('STRLEN', payload)
  redis.call('DEL', payload)
  redis.call('ZREM', dead_letters, id)
  dropped = dropped + 1
end
return dropped
