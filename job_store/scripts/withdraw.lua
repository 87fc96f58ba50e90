-- no job -> no job, and a submit of this id that arrives later is refused
-- Returns 1 if the job has been accepted: it stays. Otherwise 0, and the id is taken for a while.
local job = KEYS[1]
local taken_ms = ARGV[1]

if redis.call('EXISTS', job) == 1 then return 1 end
redis.call('SET', job, 'withdrawn', 'PX', taken_ms)
return 0
