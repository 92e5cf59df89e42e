local function inner(x)
  local y = x * 2
  return y
end
local co = coroutine.wrap(function(q)
  local z = q
  return inner(z)
end)
local big = string.rep('x', 300)
local n, m, nul, deep = 123456789, 0.1 + 0.2, cjson.null, {{{{{{{{{{{{}}}}}}}}}}}}
local bin = "a\0\1\200\7\8\t\\"
redis.call('SET', 'a', big, 'EX', 100)
redis.call('MSET', 'a1', '1', 'a2', '2', 'a3', '3', 'a4', '4', 'a5', '5', 'a6', '6')
local g = redis.call('GET', 'a')
local list = {1, nil, 3, x = {y = true}}
co(21)
error('my error')
