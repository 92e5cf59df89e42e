--[[ The debugger's side in Lua: a hook on lines, and what it takes to look at a script that stands still.

What to do is decided in debugger.py; here is what needs the frames of the script: its variables, its calls, values
written out, and code that the user types. `py` are its functions, `sandbox` the few of the sandbox that are needed.
Frames are found by their source, for between them and us stand those of this file.
]]

local py, sandbox = ...
local getinfo, getlocal = sandbox.getinfo, sandbox.getlocal
local byte, find, format, gsub, match = string.byte, string.find, string.format, string.gsub, string.match
local concat, error, next, rawget, select, tostring, type =
  table.concat, error, next, rawget, select, tostring, type

local NESTING = 10        -- tables inside of tables that are written out
local BROWSE = 100000     -- instructions between two looks at the clock

-- ---- values

local ESCAPES = {["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\a"] = "\\a", ["\b"] = "\\b", ['"'] = '\\"', ["\\"] = "\\\\"}

local function quoted(text)
  return '"' .. gsub(text, '[%c"\\\127-\255]', function(letter)
    return ESCAPES[letter] or format("\\x%02x", byte(letter))
  end) .. '"'
end

local show

local function show_table(t, level)
  local as_array, as_map, count, is_array = {}, {}, 0, true
  for key, value in next, sandbox.real(t) do
    count = count + 1
    is_array = is_array and key == count
    local text = show(value, level)
    as_array[count] = text
    as_map[count] = "[" .. show(key, level) .. "]=" .. text
  end
  return "{" .. concat(is_array and as_array or as_map, "; ") .. "}"
end

function show(value, level)
  level = (level or 0) + 1
  if level > NESTING then
    return "<max recursion level reached! Nested table?>"
  end
  local kind = type(value)
  if kind == "string" then
    return quoted(value)
  elseif kind == "number" then
    return format("%g", value)
  elseif kind == "boolean" or kind == "nil" then
    return tostring(value)
  elseif kind == "table" then
    return show_table(value, level)
  end
  if kind == "userdata" then
    kind = "light-userdata"
  end
  return '"' .. kind .. "@" .. match(tostring(value), "[^ ]+$") .. '"'
end

-- ---- frames

--- The level of the next frame of the script, seen from the caller, at or above `level`; nil if there is none.
local function frame(level)
  while true do
    local info = getinfo(level + 1, "S")
    if not info then
      return nil
    elseif find(info.short_src, "user_script", 1, true) then
      return level
    end
    level = level + 1
  end
end

local function print_variable(name)
  local level = frame(2)
  while level do
    local place = 1
    while true do
      local found, value = getlocal(level, place)
      if not found then
        break
      elseif found == name then
        return py.value("<value> " .. show(value))
      end
      place = place + 1
    end
    level = frame(level + 1)
  end
  if name == "KEYS" or name == "ARGV" then
    return py.value("<value> " .. show(sandbox.global(name)))
  end
  py.say("No such variable.")
end

local function print_all()
  local level, place, shown = frame(2), 1, 0
  while true do
    local name, value = getlocal(level, place)
    if not name then
      break
    elseif not find(name, "(*temporary)", 1, true) then
      py.value("<value> " .. name .. " = " .. show(value))
      shown = shown + 1
    end
    place = place + 1
  end
  if shown == 0 then
    py.say("No local variables in the current context.")
  end
end

local function trace()
  local level, word = frame(2), "In"
  while level do
    local info = getinfo(level, "nl")
    py.say(word .. " " .. (info.name or "top level") .. ":")
    py.source_line(info.currentline)
    word = "From"
    level = frame(level + 1)
  end
end

local function evaluate(code)
  local fn, message = sandbox.compile("return " .. code, "@ldb_eval")
  if not fn then
    fn, message = sandbox.compile(code, "@ldb_eval")
  end
  if not fn then
    return py.say("<error> " .. message)
  end
  local ok, result = sandbox.pcall(fn)
  if not ok then
    if type(result) == "table" then
      result = rawget(result, "err") or show(result)
    end
    return py.say("<error> " .. tostring(result))
  end
  py.value("<retval> " .. show(result))
end

-- ---- the hook

local COMMANDS = {print = print_variable, locals = print_all, trace = trace, eval = evaluate}

local function on_line(event)
  local here = getinfo(2, "Sl")
  if not find(here.short_src, "user_script", 1, true) or not py.at(here.currentline, event == "count") then
    return
  end
  while true do
    local verb, word = py.next()
    if verb == "go" then
      return
    elseif verb == "raise" then
      error({err = word}, 0)
    end
    COMMANDS[verb](word)
  end
end

local function breakpoint()
  py.stop_at_next()
  return true
end

local function report(...)
  local words = {}
  for place = 1, select("#", ...) do
    words[place] = show((select(place, ...)))
  end
  py.report(concat(words, ", "))
end

return on_line, BROWSE, breakpoint, report
