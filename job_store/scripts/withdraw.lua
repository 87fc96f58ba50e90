-- no job -> no job, and a submit of this id that arrives later is refused
-- Returns 1 if the job has been accepted: it stays. Otherwise 0.
local job, withdrawn = KEYS[1], KEYS[2]
local ttl_ms = ARGV[1]

if redis.call('EXISTS', job) == 1 then return 1 end
redis.call('SET', withdrawn, '', 'PX', ttl_ms)
return 0
