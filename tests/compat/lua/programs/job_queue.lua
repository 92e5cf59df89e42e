#!lua name=jobs
-- A queue of jobs: priorities, delays, retries with back-off, dependencies, leases, unique jobs, results, statistics.
--
-- Every queue lives under one hash tag: {q}:ready and {q}:later are sorted sets, {q}:running too (by the end of the
-- lease), {q}:job:ID are hashes with the job packed by msgpack, {q}:unique maps names to jobs, {q}:stats counts.

local PRIORITIES = {urgent = 0, normal = 1, low = 2}
local STATES = {'ready', 'later', 'running', 'blocked', 'done', 'failed'}
local LEASE, ATTEMPTS, KEEP = 30000, 3, 50

-- ---- names

local function names(queue)
  local prefix = '{' .. queue .. '}:'
  return {
    prefix = prefix, ready = prefix .. 'ready', later = prefix .. 'later', running = prefix .. 'running',
    blocked = prefix .. 'blocked', done = prefix .. 'done', failed = prefix .. 'failed', unique = prefix .. 'unique',
    stats = prefix .. 'stats', sequence = prefix .. 'sequence', events = prefix .. 'events',
  }
end

local function job_key(q, id)
  return q.prefix .. 'job:' .. id
end

local function waiters_key(q, id)
  return q.prefix .. 'waiters:' .. id
end

-- ---- jobs

local function load_job(q, id)
  local packed = redis.call('hget', job_key(q, id), 'job')
  if not packed then
    return nil
  end
  return cmsgpack.unpack(packed)
end

local function save_job(q, job)
  redis.call('hset', job_key(q, job.id), 'job', cmsgpack.pack(job), 'state', job.state)
end

local function count(q, what, by)
  redis.call('hincrby', q.stats, what, by or 1)
end

local function tell(q, now, id, event, detail)
  redis.call('xadd', q.events, 'maxlen', '=', 200, now .. '-*', 'job', id, 'event', event, 'detail', detail or '')
end

local function score_of(job)
  -- Priority first, then the order of arrival.
  return (PRIORITIES[job.priority] or 1) * 1e12 + job.number
end

local function move(q, job, state, now)
  if job.state then
    redis.call('zrem', q[job.state], job.id)
  end
  job.state = state
  if state == 'ready' then
    redis.call('zadd', q.ready, score_of(job), job.id)
  elseif state == 'later' then
    redis.call('zadd', q.later, job.due, job.id)
  elseif state == 'running' then
    redis.call('zadd', q.running, job.lease, job.id)
  else
    redis.call('zadd', q[state], now, job.id)
  end
  save_job(q, job)
end

local function refuse(code, text, ...)
  error({err = code .. ' ' .. text:format(...)})
end

local function number(value, name)
  local result = tonumber(value)
  if not result or result ~= result or result == math.huge or result == -math.huge then
    refuse('BADARG', '%s is no number: %s', name, tostring(value))
  end
  return result
end

-- ---- putting jobs in

local function check(order)
  if type(order) ~= 'table' then
    refuse('BADARG', 'a job is an object')
  end
  if order.priority and not PRIORITIES[order.priority] then
    refuse('BADARG', 'no such priority: %s', tostring(order.priority))
  end
  return order
end

local function put_one(q, order, now)
  if order.unique then
    local known = redis.call('hget', q.unique, order.unique)
    if known then
      count(q, 'duplicates')
      return known, false
    end
  end
  local serial = redis.call('incr', q.sequence)
  local job = {
    id = string.format('%06d', serial), number = serial, name = order.name or 'job', data = order.data,
    priority = order.priority or 'normal', attempts = order.attempts or ATTEMPTS, tried = 0, created = now,
    backoff = order.backoff or 1000, unique = order.unique, needs = 0,
  }
  if order.unique then
    redis.call('hset', q.unique, order.unique, job.id)
  end
  for _, needed in ipairs(order.after or {}) do
    local other = load_job(q, needed)
    if not other then
      refuse('NOJOB', '%s needs %s, which is not there', job.id, needed)
    end
    if other.state ~= 'done' then
      redis.call('sadd', waiters_key(q, needed), job.id)
      job.needs = job.needs + 1
    end
  end
  if job.needs > 0 then
    move(q, job, 'blocked', now)
  elseif order.delay and order.delay > 0 then
    job.due = now + order.delay
    move(q, job, 'later', now)
  else
    move(q, job, 'ready', now)
  end
  count(q, 'put')
  tell(q, now, job.id, 'put', job.state)
  return job.id, true
end

local function put(keys, args)
  local q, now = names(keys[1]), number(args[1], 'now')
  local ok, orders = pcall(cjson.decode, args[2])
  if not ok then
    refuse('BADJSON', '%s', orders)
  end
  if orders[1] == nil then
    orders = {orders}
  end
  local made = {}
  for index, order in ipairs(orders) do
    local id, fresh = put_one(q, check(order), now)
    made[index] = {id, fresh}
  end
  return made
end

-- ---- taking jobs out

local function promote(q, now)
  local due = redis.call('zrangebyscore', q.later, '-inf', now, 'limit', 0, 100)
  for _, id in ipairs(due) do
    local job = load_job(q, id)
    move(q, job, 'ready', now)
    tell(q, now, id, 'due')
  end
  return #due
end

local function reclaim(q, now)
  local lost = redis.call('zrangebyscore', q.running, '-inf', now, 'limit', 0, 100)
  for _, id in ipairs(lost) do
    local job = load_job(q, id)
    count(q, 'lost')
    if job.tried >= job.attempts then
      job.reason = 'lease lost'
      move(q, job, 'failed', now)
    else
      move(q, job, 'ready', now)
    end
    tell(q, now, id, 'lost', job.worker)
  end
  return #lost
end

local function take(keys, args)
  local q, now, worker = names(keys[1]), number(args[1], 'now'), args[2]
  local most = number(args[3] or 1, 'count')
  promote(q, now)
  reclaim(q, now)
  local taken = {}
  local popped = redis.call('zpopmin', q.ready, most)
  for index = 1, #popped, 2 do
    local job = load_job(q, popped[index])
    job.tried = job.tried + 1
    job.worker = worker
    job.lease = now + LEASE
    move(q, job, 'running', now)
    count(q, 'taken')
    taken[#taken + 1] = cjson.encode({id = job.id, name = job.name, data = job.data, tried = job.tried})
  end
  return taken
end

local function owned(q, id, worker)
  local job = load_job(q, id)
  if not job then
    refuse('NOJOB', 'no job %s', id)
  elseif job.state ~= 'running' then
    refuse('NOTRUNNING', 'job %s is %s', id, job.state)
  elseif job.worker ~= worker then
    refuse('NOTYOURS', 'job %s belongs to %s', id, job.worker)
  end
  return job
end

local function extend(keys, args)
  local q, now = names(keys[1]), number(args[1], 'now')
  local job = owned(q, args[2], args[3])
  job.lease = now + number(args[4] or LEASE, 'lease')
  move(q, job, 'running', now)
  return redis.status_reply('EXTENDED')
end

-- ---- ends

local function trim(q, state)
  local old = redis.call('zrange', q[state], 0, -(KEEP + 1))
  for _, id in ipairs(old) do
    redis.call('zrem', q[state], id)
    redis.call('del', job_key(q, id), waiters_key(q, id))
  end
end

local function release(q, id, now)
  local freed = 0
  local waiting = redis.call('smembers', waiters_key(q, id))
  table.sort(waiting)
  for _, waiter in ipairs(waiting) do
    local job = load_job(q, waiter)
    if job and job.state == 'blocked' then
      job.needs = job.needs - 1
      if job.needs == 0 then
        move(q, job, 'ready', now)
        tell(q, now, waiter, 'unblocked', id)
        freed = freed + 1
      else
        save_job(q, job)
      end
    end
  end
  redis.call('del', waiters_key(q, id))
  return freed
end

local function finish(keys, args)
  local q, now = names(keys[1]), number(args[1], 'now')
  local job = owned(q, args[2], args[3])
  job.result = args[4] and cjson.decode(args[4]) or nil
  job.took = now - job.created
  move(q, job, 'done', now)
  if job.unique then
    redis.call('hdel', q.unique, job.unique)
  end
  count(q, 'done')
  redis.call('hincrbyfloat', q.stats, 'seconds', string.format('%.3f', job.took / 1000))
  tell(q, now, job.id, 'done')
  local freed = release(q, job.id, now)
  trim(q, 'done')
  return freed
end

local function fail(keys, args)
  local q, now = names(keys[1]), number(args[1], 'now')
  local job = owned(q, args[2], args[3])
  job.reason = args[4] or ''
  count(q, 'errors')
  if job.tried >= job.attempts then
    move(q, job, 'failed', now)
    tell(q, now, job.id, 'failed', job.reason)
    trim(q, 'failed')
    return redis.status_reply('FAILED')
  end
  job.due = now + job.backoff * 2 ^ (job.tried - 1)
  move(q, job, 'later', now)
  tell(q, now, job.id, 'retry', job.reason)
  return redis.status_reply('RETRY')
end

local function cancel(keys, args)
  local q, now, cancelled = names(keys[1]), number(args[1], 'now'), 0
  for index = 2, #args do
    local job = load_job(q, args[index])
    if job and job.state ~= 'running' then
      redis.call('zrem', q[job.state], job.id)
      redis.call('del', job_key(q, job.id))
      if job.unique then
        redis.call('hdel', q.unique, job.unique)
      end
      cancelled = cancelled + 1
      release(q, job.id, now)
    end
  end
  return cancelled
end

-- ---- looking

local function look(keys, args)
  local q = names(keys[1])
  local job = load_job(q, args[1])
  if not job then
    return false
  end
  return {job.state, job.name, job.priority, job.tried, job.reason or false, cjson.encode(job.data or cjson.null)}
end

local function status(keys)
  local q, lines = names(keys[1]), {}
  for _, state in ipairs(STATES) do
    lines[#lines + 1] = state .. '=' .. redis.call('zcard', q[state])
  end
  for _, name in ipairs({'put', 'taken', 'done', 'errors', 'lost', 'duplicates', 'seconds'}) do
    lines[#lines + 1] = name .. '=' .. (redis.call('hget', q.stats, name) or 0)
  end
  return table.concat(lines, ' ')
end

redis.register_function("jobs_put", put)
redis.register_function("jobs_take", take)
redis.register_function("jobs_extend", extend)
redis.register_function("jobs_finish", finish)
redis.register_function("jobs_fail", fail)
redis.register_function("jobs_cancel", cancel)
redis.register_function{function_name = 'jobs_look', callback = look, flags = {'no-writes'}}
redis.register_function{function_name = 'jobs_status', callback = status, flags = {'no-writes'}}
