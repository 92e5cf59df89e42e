#!lua flags=allow-cross-slot-keys
-- Scores with history and seasons. KEYS: all time, season, history. ARGV: JSON of what is to be done.
local order = cjson.decode(ARGV[1])
local all_time, season, history = KEYS[1], KEYS[2], KEYS[3]
local report = {}

local function place(player)
  local rank = redis.call('zrevrank', all_time, player)
  if not rank then
    return cjson.null
  end
  return rank + 1
end

local actions = {}

function actions.add(player, points)
  local before = place(player)
  local score = redis.call('zincrby', all_time, points, player)
  redis.call('zincrby', season, points, player)
  redis.call('lpush', history, cmsgpack.pack({p = player, n = points, b = before ~= cjson.null and before or false}))
  redis.call('ltrim', history, 0, 99)
  return {player = player, score = tonumber(score), before = before, now = place(player)}
end

function actions.top(count)
  local rows, raw = {}, redis.call('zrevrange', all_time, 0, count - 1, 'withscores')
  for i = 1, #raw, 2 do
    rows[#rows + 1] = {raw[i], tonumber(raw[i + 1])}
  end
  return rows
end

function actions.around(player, distance)
  local rank = redis.call('zrevrank', all_time, player)
  if not rank then
    return {}
  end
  return redis.call('zrevrange', all_time, math.max(0, rank - distance), rank + distance)
end

function actions.undo()
  local last = redis.call('lpop', history)
  if not last then
    return false
  end
  local entry = cmsgpack.unpack(last)
  redis.call('zincrby', all_time, -entry.n, entry.p)
  redis.call('zincrby', season, -entry.n, entry.p)
  return entry.p
end

function actions.close()
  local winners = redis.call('zrevrange', season, 0, 2, 'withscores')
  redis.call('del', season)
  return winners
end

for position, step in ipairs(order) do
  local action = actions[step[1]]
  if not action then
    return redis.error_reply('BADORDER step ' .. position .. ': ' .. tostring(step[1]))
  end
  local ok, result = pcall(action, step[2], step[3])
  report[position] = {ok = ok, result = result}
end
return cjson.encode(report)
