--[[ The world that scripts live in, made once for each interpreter.

It runs before any script does, and it alone sees what scripts must not: the `python` table, `debug`, and the real
tables behind the read-only ones. What it returns are the few functions that `host.py` calls.

Four things are worth knowing before reading on.

1. Read-only tables. Lua 5.1 has none, so what scripts see of a library is an empty table (a *face*) whose metatable
   reads from the real one and refuses to write. What would look through it (next, pairs, rawget ...) or past it
   (rawset, setmetatable, table.insert ...) is replaced by a function that knows faces.
2. Errors of Python. What comes from Python is a C function that raises RAISED, always the same object, and keeps the
   text for `take`. Wherever a script can catch an error, RAISED is turned into what Redis would have raised, so no
   script ever holds a Python object.
3. Time. A hook runs every COUNT instructions; every PATIENCE times, or always when so much memory is in use that
   single instructions can be slow, it looks at the clock. Work that C does in one instruction is charged by `charge`,
   and a slow command makes the host `urge`. All of it leads to `look`, which asks Python every SLICE seconds what to
   do; from its first refusal on, every instruction raises. Coroutines have hooks of their own, hence the wrapped
   coroutine.create.
4. Line numbers. An error names the line that made it, found by walking over the frames of this file (OWN).
]]

local functions, RAISED, options = ...
local python = python
local debug, string, table, math, coroutine, os = debug, string, table, math, coroutine, os
local getinfo, sethook = debug.getinfo, debug.sethook
local type, select, next, error, rawget, rawset, tostring = type, select, next, error, rawget, rawset, tostring
local setmetatable, getmetatable, setfenv, loadstring = setmetatable, getmetatable, setfenv, loadstring
local native_pcall, native_xpcall, native_pairs, unpack = pcall, xpcall, pairs, unpack
local format, concat, gsub, match, sub, native_rep =
  string.format, table.concat, string.gsub, string.match, string.sub, string.rep
local clock, collect, dump = os.clock, collectgarbage, string.dump

local OWN = getinfo(1, "S").source
-- Chunks that errors are never told of.
local HOUSE = {[OWN] = true, ["=crossing"] = true, ["=cjson.lua"] = true, ["=cmsgpack.lua"] = true}
local OWN_PREFIX = OWN:sub(2) .. ":"  -- in messages
local COUNT, COUNT_HEAVY, COUNT_DOOMED = 200, 20, 1
local HEAVY = 8 * 1024            -- kilobytes in use from which on single instructions can be slow
local PATIENCE = 16
local SLICE = 0.005               -- seconds between two questions to Python
local WORK = 2 * 1000 * 1000      -- units of work in C that are about as much as a slice
local DEPTH = options.depth       -- nested tables in a reply

local py = {}
for name, fn in native_pairs(functions) do
  py[name] = python.as_function(fn)
end
local take, poll, format_double = py.take, py.poll, py.format_double

local reals = {}  -- face -> the table behind it
local metas = {}  -- face -> what getmetatable shows of it

-- ---- time

local next_look, doomed, work, heavy, patience = nil, nil, 0, false, PATIENCE
local hook

--- Ask whether the script may go on. Raises if not.
local function look()
  local now = clock()
  if not next_look then
    next_look = now + SLICE
  elseif now >= next_look then
    doomed = poll()
    next_look = clock() + SLICE
  end
end

local debugging, browse  -- the debugger's hook on lines, and after how many instructions it is called besides
local protect  -- below: the only function that goes on when a script is doomed

function hook()
  if not doomed then
    if not heavy then
      if collect("count") < HEAVY then
        patience = patience - 1
        if patience > 0 then
          return
        end
        patience = PATIENCE
      else
        heavy = true
        sethook(hook, "", COUNT_HEAVY)
      end
    end
    look()
    if not doomed then
      if heavy then
        sethook(hook, "", COUNT_HEAVY)
      end
      return
    end
  end
  if getinfo(2, "f").func ~= protect then
    -- Each thread has a hook of its own, and it may have been in another one that the script was told to end.
    sethook(hook, "l", COUNT_DOOMED)
    error({err = doomed}, 0)
  end
end

--- C has done so much in one go (a unit is about a byte copied).
local function charge(units)
  work = work + units
  if work > WORK then
    work = 0
    next_look = next_look or 0
    look()
    if doomed then
      sethook(hook, "l", COUNT_DOOMED)
      error({err = doomed}, 0)
    end
  end
end

--- A command took long: look at once. Whoever is running now goes on counting in small steps.
local function urge()
  heavy, next_look = true, 0
  sethook(hook, "", 1)
end

-- ---- errors

--- What redis.call has raised, as the table that a script sees.
local function error_table()
  return {err = take(), ignore_error_stats_update = true}
end

--- The frame that an error is told of: the script's, not one of ours or of C.
local function culprit(level)
  local info = getinfo(level, "Sl")
  while info and (HOUSE[info.source] or info.what == "C" or info.what == "tail") do
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return info
end

local function on_error(e)
  if e == RAISED then
    e = error_table()
  end
  local info = culprit(3)
  if type(e) ~= "table" or reals[e] then
    e = {err = "ERR " .. tostring(e)}
  end
  if info then
    rawset(e, "source", info.source)
    rawset(e, "line", info.currentline)
  end
  return e
end

--- Raise what a native function has complained of, as if it had been called in the place of our caller, or of the
--- function `up` levels above it.
local function complain(e, name, up)
  local info = getinfo(2 + up, "n")
  if info and info.name and info.name ~= "" then
    name = info.name
  else
    local caller = getinfo(3 + up, "S")
    if caller and caller.what == "C" then
      name = "?"  -- called by pcall and its like, which know no names
    end
  end
  local method = info and info.namewhat == "method"
  if type(e) == "string" then
    e = gsub(e, "^bad argument #(%d+) to '%?'", function(place)
      if method then
        place = place - 1
        if place == 0 then
          return "calling '" .. name .. "' on bad self"
        end
      end
      return "bad argument #" .. place .. " to '" .. name .. "'"
    end)
  end
  error(e, 3 + up)
end

-- ---- read-only tables

local READONLY = "Attempt to modify a readonly table"

local function refuse_write()
  error(READONLY, 2)
end

local function face_of(real, missing, meta)
  local face = setmetatable({}, {__index = real, __newindex = refuse_write})
  if missing then
    setmetatable(real, {__index = missing})
  end
  reals[face] = real
  metas[face] = meta
  return face
end

local function outcome(ok, e, ...)
  if ok then
    return true, e, ...
  end
  if e == RAISED then
    return false, take()
  end
  if type(e) == "table" then
    local text = rawget(e, "err")
    if type(text) == "string" or type(text) == "number" then
      e = text
    end
  elseif type(e) == "string" and sub(e, 1, #OWN_PREFIX) == OWN_PREFIX then
    local info = getinfo(3, "Sl")  -- error("...", 2) means who has called pcall
    e = (info and info.currentline > 0 and info.short_src .. ":" .. info.currentline or "?") .. match(e, ":%d+(:.*)")
  end
  return false, e
end

local function relay(name, ok, ...)
  if ok then
    return ...
  end
  complain((...), name, 1)
end

-- ---- the base library

local base = {
  _VERSION = _VERSION, assert = assert, error = error, gcinfo = gcinfo, ipairs = ipairs, rawequal = rawequal,
  select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
}

function base.pcall(...)
  if select("#", ...) == 0 then
    return false
  end
  return outcome(native_pcall(...))
end

function base.xpcall(f, handler)
  if handler == nil then
    error("bad argument #2 to 'xpcall' (value expected)", 2)
  end
  return native_xpcall(f, function(e)
    if doomed then
      return e
    end
    if e == RAISED then
      e = error_table()
    end
    return handler(e)
  end)
end

function base.next(t, key)
  if reals[t] then
    return next(reals[t], key)
  end
  if type(t) == "table" then
    return next(t, key)
  end
  return (relay("next", native_pcall(next, t, key)))
end

function base.pairs(...)
  local t = ...
  local real = reals[t]
  if real then
    return function(_, key) return next(real, key) end, t, nil
  end
  if type(t) ~= "table" then
    return (relay("pairs", native_pcall(native_pairs, ...)))
  end
  return next, t, nil
end

function base.rawget(t, key)
  local real = reals[t]
  if real then
    return rawget(real, key)
  end
  if type(t) ~= "table" then
    return (relay("rawget", native_pcall(rawget, t, key)))
  end
  return rawget(t, key)
end

function base.rawset(t, ...)
  if reals[t] then
    error(READONLY, 0)
  end
  local ok, e = native_pcall(rawset, t, ...)
  if not ok then
    complain(e, "rawset", 0)
  end
  return t
end

function base.getmetatable(t)
  if reals[t] then
    return metas[t]
  end
  local meta = getmetatable(t)
  if type(t) == "userdata" then
    return nil
  end
  return metas[meta] or meta
end

function base.setmetatable(t, meta)
  if reals[t] then
    error(READONLY, 0)
  end
  local ok, e = native_pcall(setmetatable, t, meta)
  if not ok then
    complain(e, "setmetatable", 0)
  end
  return t
end

function base.collectgarbage(what, argument)
  -- Only what asks or collects: nobody may stop the collector for all who come after.
  if what == nil or what == "collect" or what == "step" then
    charge(collect("count") * 200)
    local result = collect(what or "collect", argument)
    charge(1)
    return result
  elseif what == "count" then
    return collect("count")
  elseif what == "stop" or what == "restart" or what == "setpause" or what == "setstepmul" then
    return 0
  end
  return (relay("collectgarbage", native_pcall(collect, what, argument)))
end

local env  -- what scripts have as globals, set below

--- Compile text. Bytecode would start with ESC: behind a blank it is a syntax error, as it is for Redis.
local function compile(text, name)
  if text:sub(1, 1) == "\27" then
    text = " " .. text
  end
  charge(#text * 20)
  local fn, message = loadstring(text, name)
  if fn then
    local kept = py.keep_frames(dump(fn))
    if kept then
      fn = loadstring(kept)
    end
    return setfenv(fn, env)
  end
  return nil, message
end

function base.loadstring(text, name)
  if type(text) == "number" then
    text = tostring(text)
  end
  if type(text) ~= "string" or (name ~= nil and type(name) ~= "string") then
    return (relay("loadstring", native_pcall(loadstring, text, name)))
  end
  return compile(text, name or text)
end

function base.load(reader, name)
  if type(reader) ~= "function" or (name ~= nil and type(name) ~= "string") then
    return (relay("load", native_pcall(load, reader, name)))
  end
  local pieces, size = {}, 0
  while true do
    local ok, piece = native_pcall(reader)
    if not ok then
      return nil, piece == RAISED and error_table() or piece
    end
    if piece == nil or piece == "" then
      break
    end
    if type(piece) ~= "string" and type(piece) ~= "number" then
      return nil, "reader function must return a string"
    end
    size = size + 1
    pieces[size] = piece
  end
  return compile(concat(pieces), name or "=(load)")
end

-- ---- coroutines

local native_create, native_resume = coroutine.create, coroutine.resume
local status = coroutine.status
local threads = {create = nil, resume = nil, running = coroutine.running, status = status, yield = coroutine.yield}

local function resumed(ok, e, ...)
  if not ok and e == RAISED then
    e = error_table()
  end
  return ok, e, ...
end

local function watch(thread)
  if debugging then
    sethook(thread, debugging, "l", browse)
  else
    sethook(thread, hook, "", heavy and COUNT_HEAVY or COUNT)
  end
end

function threads.create(f)
  local ok, thread = native_pcall(native_create, f)
  if not ok then
    complain(thread, "create", 0)
  end
  watch(thread)
  return thread
end

function threads.resume(thread, ...)
  if type(thread) ~= "thread" then
    return (relay("resume", native_pcall(native_resume, thread, ...)))
  end
  return resumed(native_resume(thread, ...))
end

local function wrapped(ok, e, ...)
  if ok then
    return e, ...
  end
  if e == RAISED then
    e = error_table()
  end
  error(e, 3)
end

function threads.wrap(f)
  local ok, thread = native_pcall(native_create, f)
  if not ok then
    complain(thread, "wrap", 0)
  end
  watch(thread)
  return function(...)
    return wrapped(native_resume(thread, ...))
  end
end

-- ---- strings

local strings = {}
for name, fn in native_pairs(string) do
  strings[name] = fn
end

function strings.rep(s, n, ...)
  if type(s) == "string" and type(n) == "number" then
    if s == "" or n < 1 then
      return ""
    end
    if #s * n > 100000 then
      charge(#s * n)
    end
    return native_rep(s, n)
  end
  if n == nil then
    if s == nil then
      return (relay("rep", native_pcall(native_rep)))
    end
    return (relay("rep", native_pcall(native_rep, s)))
  end
  return (relay("rep", native_pcall(native_rep, s, n, ...)))
end

--- A function whose work grows with the length of its first argument.
local function charged(name)
  local native = string[name]
  strings[name] = function(...)
    local s = ...
    if type(s) == "string" and #s > 65536 then
      charge(#s)
    end
    return (relay(name, native_pcall(native, ...)))
  end
end

charged("reverse")
charged("lower")
charged("upper")

-- ---- tables

local tables = {}
for name, fn in native_pairs(table) do
  tables[name] = fn
end
local native_insert, native_remove, native_sort = table.insert, table.remove, table.sort

function tables.insert(t, ...)
  if reals[t] then
    error(READONLY, 0)
  end
  local count = select("#", ...)
  if type(t) == "table" then
    if count == 1 then
      t[#t + 1] = (...)
      return
    end
    local size = #t
    if size > 10000 then
      charge(size * 10)
    end
  end
  local ok, e = native_pcall(native_insert, t, ...)
  if not ok then
    complain(e, "insert", 0)
  end
end

function tables.remove(t, place, ...)
  if type(t) == "table" then
    local size = #t
    if place ~= nil and size > 10000 then
      charge(size * 10)
    end
  end
  if place == nil then
    return (relay("remove", native_pcall(native_remove, t)))
  end
  return (relay("remove", native_pcall(native_remove, t, place, ...)))
end

function tables.sort(t, less)
  if type(t) == "table" and less == nil and #t > 10000 then
    less = function(a, b) return a < b end  -- in C nothing could interrupt it
  end
  local ok, e = native_pcall(native_sort, t, less)
  if not ok then
    if type(e) == "string" and (e:find("^bad argument") or e == "invalid order function for sorting") then
      complain(e, "sort", 0)
    end
    error(e, 0)
  end
end

function tables.foreach(t, f)
  return (relay("foreach", native_pcall(table.foreach, reals[t] or t, f)))
end

function tables.maxn(t)
  if type(t) == "table" then
    charge(1000)
  end
  return (relay("maxn", native_pcall(table.maxn, t)))
end

-- ---- putting it together

local patterns = options.patterns(string, {charge = charge, complain = complain, pcall = native_pcall, memfind = py.memfind})
for name, fn in native_pairs(patterns) do
  strings[name] = fn
end
strings.gfind = strings.gmatch

local function no_global(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

local maths = {}
for name, fn in native_pairs(math) do
  maths[name] = fn
end

local string_face = face_of(strings)
base.string = string_face
base.table = face_of(tables)
base.math = face_of(maths)
base.coroutine = face_of(threads)
base.os = face_of({clock = clock})

local string_meta = getmetatable("")
string_meta.__index = strings
metas[string_meta] = face_of({__index = string_face})

local globals_meta = face_of({__index = no_global})
env = face_of(base, no_global, globals_meta)
base._G = env

for name, functions in native_pairs(options.libraries) do
  base[name] = face_of(functions)
end

local api = {}
for name, value in native_pairs(options.constants) do
  api[name] = value
end
for _, name in native_pairs(options.api) do
  api[name] = py[name]
end
local api_face = face_of(api)
base.redis = api_face
base.server = api_face

if options.functions then
  base.__redis__err__handler = nil
else
  base.__redis__err__handler = on_error
end

-- ---- replies

local CRLF = "\r\n"
local encode

local function integer(number)
  if number ~= number or number >= 2 ^ 63 or number < -2 ^ 63 then
    return ":-9223372036854775808\r\n"
  end
  return format(":%d\r\n", number)
end

local function one_line(text)
  return (gsub(text, "[\r\n]", " "))
end

--- The same for a text that goes through a C string, which ends at a zero.
local function one_c_line(text)
  return one_line((gsub(text, "%z.*", "")))
end

local function pairs_of(out, n, t, resp3, depth, with_values)
  local count, at = 0, n + 1
  n = at
  for key, value in next, t do
    n = encode(out, n, key, resp3, depth)
    if with_values then
      n = encode(out, n, value, resp3, depth)
    end
    count = count + 1
  end
  local sign = "*"
  if resp3 then
    sign = with_values and "%" or "~"
  elseif with_values then
    count = count * 2
  end
  out[at] = sign .. count .. CRLF
  return n
end

--- The codes of the errors in the reply that is being made, nil as long as there is none; "" for one that a command has
--- answered with: that one is counted.
local told

--- The word by which INFO errorstats counts an error.
local function code_of(text)
  local code = match(text, "^([^ ]*) ")
  return code and #code < 31 and code or "ERR"
end

local function encode_table(out, n, t, resp3, depth)
  local field = rawget(t, "err")
  if type(field) == "string" then
    told = told or {}
    told[#told + 1] = rawget(t, "ignore_error_stats_update") == true and "" or code_of(field)
    out[n + 1] = "-" .. one_c_line(field) .. CRLF
    return n + 1
  end
  field = rawget(t, "ok")
  if type(field) == "string" then
    out[n + 1] = "+" .. one_c_line(field) .. CRLF
    return n + 1
  end
  field = rawget(t, "double")
  if type(field) == "number" then
    local text = format_double(field)
    out[n + 1] = resp3 and "," .. text .. CRLF or "$" .. #text .. CRLF .. text .. CRLF
    return n + 1
  end
  field = rawget(t, "map")
  if type(field) == "table" then
    return pairs_of(out, n, reals[field] or field, resp3, depth + 3, true)
  end
  field = rawget(t, "set")
  if type(field) == "table" then
    return pairs_of(out, n, reals[field] or field, resp3, depth + 3, false)
  end
  field = rawget(t, "big_number")
  if type(field) == "string" then
    local text = one_line(field)
    out[n + 1] = resp3 and "(" .. text .. CRLF or "$" .. #text .. CRLF .. text .. CRLF
    return n + 1
  end
  field = rawget(t, "verbatim_string")
  if type(field) == "table" then
    local text, kind = rawget(field, "string"), rawget(field, "format")
    if type(text) == "string" and type(kind) == "string" then
      if resp3 then
        kind = (gsub(kind, "%z.*", "") .. "   "):sub(1, 3)  -- to C it ends at a zero
        out[n + 1] = "=" .. #text + 4 .. CRLF .. kind .. ":" .. text .. CRLF
      else
        out[n + 1] = "$" .. #text .. CRLF .. text .. CRLF
      end
      return n + 1
    end
  end
  local at, count = n + 1, 0
  n = at
  local item = rawget(t, 1)
  while item ~= nil do
    count = count + 1
    n = encode(out, n, item, resp3, depth + 1)
    item = rawget(t, count + 1)
  end
  out[at] = "*" .. count .. CRLF
  return n
end

--- Appends the pieces of one value's reply to `out` after place `n`; returns the new end. `depth` counts the places of
--- the stack that Redis has in use here: an array takes one, a map or a set three.
function encode(out, n, value, resp3, depth)
  local kind = type(value)
  if depth > DEPTH then
    out[n + 1] = "-ERR reached lua stack limit\r\n"
    return n + 1
  end
  if kind == "string" then
    out[n + 1] = "$" .. #value .. CRLF
    out[n + 2] = value
    out[n + 3] = CRLF
    return n + 3
  elseif kind == "number" then
    out[n + 1] = integer(value)
  elseif kind == "table" then
    return encode_table(out, n, value, resp3, depth)
  elseif kind == "boolean" then
    local speaks3 = py.speaks_resp3()
    if speaks3 and resp3 then
      out[n + 1] = value and "#t\r\n" or "#f\r\n"
    elseif speaks3 then
      out[n + 1] = value and ":1\r\n" or ":0\r\n"
    elseif value then
      out[n + 1] = ":1\r\n"
    else
      out[n + 1] = resp3 and "_\r\n" or "$-1\r\n"
    end
  else
    out[n + 1] = resp3 and "_\r\n" or "$-1\r\n"
  end
  return n + 1
end

local function encoded(value, resp3)
  local out = {}
  told = nil
  encode(out, 0, value, resp3, 2)
  return concat(out), told and concat(told, " ")
end

-- ---- running

local OUT_OF_MEMORY = "not enough memory"

--- What host.py gets of all but plain values: true, the bytes of a reply and the codes of the errors in it, if any; or
--- true, nil, the error and its place.
local function finish(ok, result, resp3)
  if ok then
    local codes
    ok, result, codes = native_xpcall(function() return encoded(result, resp3) end, on_error)
    if ok then
      return true, result, codes
    end
  end
  if result == OUT_OF_MEMORY then
    return true, nil, "ERR not enough memory: the script needs more than lua-memory-limit allows"
  end
  if type(result) ~= "table" then
    return true, nil, "ERR " .. tostring(result)
  end
  local text = rawget(result, "err")
  if type(text) == "number" then
    text = tostring(text)
  elseif type(text) ~= "string" then
    text = "ERR unknown error"
  end
  text = gsub(text, "%z.*", "")  -- to C it ends at a zero
  local line = rawget(result, "line")
  return true, nil, text, rawget(result, "source"), type(line) == "number" and tostring(line) or nil,
    rawget(result, "ignore_error_stats_update") == true
end

local keys, arguments = {}, {}

--- More words than one call takes come in portions before `run`.
local function feed(into_keys, ...)
  local target = into_keys and keys or arguments
  local size = #target
  for place = 1, select("#", ...) do
    target[size + place] = (select(place, ...))
  end
end

--- Call a function that may do anything; afterwards nothing of that is left.
function protect(fn)
  next_look, work, patience = nil, 0, PATIENCE
  if debugging then
    sethook(debugging, "l", browse)
  end
  local ok, result = native_xpcall(fn, on_error)
  if not ok or heavy or debugging then
    sethook(hook, "", COUNT)
    doomed, heavy = nil, false
  end
  return ok, result
end

--- Run a function. `as_function`: keys and arguments are its arguments (FCALL), else the globals KEYS and ARGV (EVAL).
--- `count`: how many words follow.
local function run(fn, as_function, resp3, nkeys, count, ...)
  local k, a = keys, arguments
  if count > 0 then
    if nkeys == 0 then
      a = {...}
    elseif nkeys == count then
      k = {...}
    else
      local words = {...}
      k, a = {}, {}
      for place = 1, nkeys do
        k[place] = words[place]
      end
      for place = nkeys + 1, count do
        a[place - nkeys] = words[place]
      end
    end
  end
  local ok, result
  if as_function then
    ok, result = protect(function() return fn(k, a) end)
  else
    base.KEYS, base.ARGV = k, a
    ok, result = protect(fn)
  end
  if nkeys == 0 and next(keys) ~= nil then
    keys = {}
  end
  if nkeys == count and next(arguments) ~= nil then
    arguments = {}
  end
  if not as_function then
    base.KEYS, base.ARGV = keys, arguments
  end
  if ok then
    local kind = type(result)
    if kind == "string" or kind == "number" or kind == "nil" then
      return result
    end
  end
  return finish(ok, result, resp3)
end

--- While a library loads its globals are these few; `load_library` returns nil or the error's text.
local load_api = {register_function = py.register_function, log = py.log}
for name, value in native_pairs(options.constants) do
  if name:sub(1, 4) == "LOG_" or name:sub(1, 6) == "REDIS_" then
    load_api[name] = value
  end
end
local load_face = face_of(load_api, no_global)
local load_globals = setmetatable({redis = load_face, server = load_face}, {__index = no_global})
local env_meta = getmetatable(env)

local function load_library(fn)
  env_meta.__index = load_globals
  local ok, result = protect(fn)
  env_meta.__index = base
  if ok then
    return nil
  end
  if type(result) == "table" then
    result = rawget(result, "err")
  end
  return tostring(result)
end

--- From now on scripts run under the debugger that the chunk `make` returns.
local function attach(make, functions)
  local on_line, breakpoint, report
  for name, fn in native_pairs(functions) do
    functions[name] = python.as_function(fn)
  end
  on_line, browse, breakpoint, report = make(functions, {
    real = function(t) return reals[t] or t end,
    global = function(name) return base[name] end,
    compile = compile, pcall = base.pcall, getinfo = getinfo, getlocal = debug.getlocal,
  })
  debugging, api.breakpoint, api.debug = on_line, breakpoint, report
end

sethook(hook, "", COUNT)
for _, name in native_pairs({"debug", "python", "io", "package", "require", "os", "dofile", "loadfile", "module", "newproxy"}) do
  _G[name] = nil
end
return compile, run, feed, load_library, urge, attach
