-- processing -> succeeded or failed
-- Records how the job ended, with end_job.lua.
-- Returns 1 when the job has this status (also when the same claim has recorded it before), or 0 when the claim is
-- outdated.
local job = KEYS[1]
local root, group, id, token, new_status, field, value = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local limits = {
  job_ttl_ms = ARGV[8], max_dead_letters = tonumber(ARGV[9]), max_dead_letter_bytes = tonumber(ARGV[10]),
}

local status, current_token, entry = unpack(redis.call('HMGET', job, 'status', 'token', 'entry'))
if current_token ~= token then return 0 end
if status == new_status then return 1 end
if status ~= 'processing' then return 0 end
end_job(root, group, id, entry, new_status, field, value, limits)
return 1
