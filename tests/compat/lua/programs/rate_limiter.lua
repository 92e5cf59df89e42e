-- A sliding window and a token bucket in one. KEYS[1]: the bucket, KEYS[2]: the log of the window.
-- ARGV: now (ms), window (ms), most in a window, bucket size, tokens a second, cost, a name for this call.
local now, window, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local size, rate, cost, name = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]

redis.call('zremrangebyscore', KEYS[2], '-inf', '(' .. string.format('%.0f', now - window))
local used = redis.call('zcard', KEYS[2])

local state = redis.call('hmget', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(state[1]) or size, tonumber(state[2]) or now
tokens = math.min(size, tokens + (now - at) / 1000 * rate)

local function answer(allowed, retry)
  return {allowed and 1 or 0, string.format('%.3f', tokens), used, math.ceil(retry)}
end

if used + cost > most then
  local oldest = redis.call('zrange', KEYS[2], 0, 0, 'withscores')
  return answer(false, tonumber(oldest[2] or now) + window - now)
end
if tokens < cost then
  return answer(false, (cost - tokens) / rate * 1000)
end
tokens = tokens - cost
for i = 1, cost do
  redis.call('zadd', KEYS[2], now, name .. ':' .. i)
end
used = used + cost
redis.call('hset', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', now)
redis.call('pexpire', KEYS[1], 3600000)
redis.call('pexpire', KEYS[2], 3600000)
return answer(true, 0)
