local function add(a, b)
  local sum = a + b
  return sum
end
local t = {1, 2, {x = 'y'}}
local s = "he said \"hi\"\n"
redis.call('SET', KEYS[1], ARGV[1])
local v = redis.call('GET', KEYS[1])
redis.debug('value is', v, t, nil, 1.5, true)
for i = 1, 3 do
  add(i, 1)
end
redis.breakpoint()
local l = redis.call('LRANGE', 'nolist', 0, -1)
local e = redis.pcall('INCR', KEYS[1])
return {v, l, e, add(1, 2)}
