--[[ string.find, match, gmatch and gsub whose work can be interrupted.

Lua's own matcher runs in C, where no hook reaches: a pattern with a few stars over a long subject keeps it busy for
years. So the worst that a pattern can cost is estimated first (the subject's length to the power of what can repeat).
Below LIMIT the native function does it. Above, the matcher in this file does: the same rules, in Lua, where the hook
counts, with the native one for what is linear (how far a class repeats).
]]

local string, tools = ...
local charge, complain, pcall, memfind = tools.charge, tools.complain, tools.pcall, tools.memfind
local type, tostring, error, select = type, tostring, error, select
local sub, byte, find, concat = string.sub, string.byte, string.find, table.concat
local unpack, tonumber = unpack, tonumber
local natives = {find = string.find, match = string.match, gmatch = string.gmatch, gsub = string.gsub}

local LIMIT = 4 * 1000 * 1000  -- steps of the native matcher that are about 20 ms
local REPEATS_MAX = 100        -- more things that repeat would nest C calls too deeply
local CACHE_MAX = 500

-- ---- reading a pattern

local SINGLE, OPEN, CLOSE, POSITION, BALANCE, FRONTIER, BACK, FINISH = 1, 2, 3, 4, 5, 6, 7, 8
local QUANTIFIERS = {["*"] = true, ["+"] = true, ["-"] = true, ["?"] = true}

--- Where the class that begins at `at` ends (the place after it). Raises as the native matcher would.
local function class_end(p, at)
  local c = sub(p, at, at)
  if c == "%" then
    if at == #p then
      error("malformed pattern (ends with '%')", 0)
    end
    return at + 2
  elseif c == "[" then
    at = at + 1
    if sub(p, at, at) == "^" then
      at = at + 1
    end
    repeat
      if at > #p then
        error("malformed pattern (missing ']')", 0)
      end
      c = sub(p, at, at)
      at = at + 1
      if c == "%" then
        at = at + 1
      end
    until sub(p, at, at) == "]"
    return at + 1
  end
  return at + 1
end

--- The items of a pattern from place `at` on, and what they can cost: how many repeat, how many are optional.
local function parse(p, at)
  local items, count, repeats, optional = {}, 0, 0, 0
  while at <= #p do
    local c = sub(p, at, at)
    local following = sub(p, at + 1, at + 1)
    local item
    if c == "(" then
      if following == ")" then
        item = {kind = POSITION}
        at = at + 2
      else
        item = {kind = OPEN}
        at = at + 1
      end
    elseif c == ")" then
      item = {kind = CLOSE}
      at = at + 1
    elseif c == "$" and at == #p then
      item = {kind = FINISH}
      at = at + 1
    elseif c == "%" and following == "b" then
      if at + 3 > #p then
        error("unbalanced pattern", 0)
      end
      item = {kind = BALANCE, class = "^" .. sub(p, at, at + 3)}
      repeats = repeats + 1
      at = at + 4
    elseif c == "%" and following == "f" then
      if sub(p, at + 2, at + 2) ~= "[" then
        error("missing '[' after '%f' in pattern", 0)
      end
      local ends = class_end(p, at + 2)
      item = {kind = FRONTIER, class = "^" .. sub(p, at + 2, ends - 1)}
      at = ends
    elseif c == "%" and find(following, "^%d") then
      item = {kind = BACK, index = tonumber(following)}
      repeats = repeats + 1
      at = at + 2
    else
      local ends = class_end(p, at)
      local class = sub(p, at, ends - 1)
      if class == "^" or class == "$" then
        class = "%" .. class
      end
      item = {kind = SINGLE, class = "^" .. class}
      local quantifier = sub(p, ends, ends)
      at = ends
      if QUANTIFIERS[quantifier] then
        item.quantifier = quantifier
        item.run = "^" .. class .. "*"
        if quantifier == "?" then
          optional = optional + 1
        else
          repeats = repeats + 1
        end
        at = ends + 1
      end
    end
    count = count + 1
    items[count] = item
  end
  items.size = count
  return items, repeats, optional
end

local cached, cached_count = {}, 0

--- What is known of a pattern. `anchors`: whether a leading ^ is an anchor (to gmatch it is none).
local function known(p, anchors)
  local anchored = anchors and sub(p, 1, 1) == "^"
  local ok, items, repeats, optional = pcall(parse, p, anchored and 2 or 1)
  if not ok then
    -- The native matcher may take long before it comes to what is wrong.
    local _, marks = natives.gsub(p, "[%*%+%-%?%%]", "")
    return {wrong = items, power = marks + 1, factor = #p, deep = marks > REPEATS_MAX}
  end
  return {
    items = items,
    anchored = anchored,
    deep = repeats + optional > REPEATS_MAX,
    power = repeats + (anchored and 0 or 1),
    factor = #p * 2 ^ optional,
  }
end

--- Facts of a pattern that is too much for the native matcher over this subject; nil if the native one may do it.
local function too_much(s, p, anchors)
  local key = anchors and p or "g" .. p
  local facts = cached[key]
  if not facts then
    facts = known(p, anchors)
    if cached_count >= CACHE_MAX then
      cached, cached_count = {}, 0
    end
    cached_count = cached_count + 1
    cached[key] = facts
  end
  if facts.deep or (#s) ^ facts.power * facts.factor > LIMIT then
    if facts.wrong then
      error(facts.wrong, 0)
    end
    return facts
  end
  return nil
end

-- ---- the matcher

local UNCLOSED, PLACE = -1, -2

local function step(m, i, at)
  local s, items = m.s, m.items
  while at <= items.size do
    local item = items[at]
    local kind = item.kind
    if kind == SINGLE then
      local quantifier = item.quantifier
      if not quantifier then
        if not find(s, item.class, i) or i > #s then
          return nil
        end
        i = i + 1
      elseif quantifier == "?" then
        if i <= #s and find(s, item.class, i) then
          local ends = step(m, i + 1, at + 1)
          if ends then
            return ends
          end
        end
      elseif quantifier == "-" then
        while true do
          local ends = step(m, i, at + 1)
          if ends then
            return ends
          end
          if i > #s or not find(s, item.class, i) then
            return nil
          end
          i = i + 1
        end
      else
        local _, last = find(s, item.run, i)
        last = last or i - 1
        charge(last - i)
        if at == items.size and (quantifier == "*" or last >= i) then
          return last + 1  -- nothing follows that could fail
        end
        for place = last + 1, quantifier == "+" and i + 1 or i, -1 do
          local ends = step(m, place, at + 1)
          if ends then
            return ends
          end
        end
        return nil
      end
      at = at + 1
    elseif kind == OPEN or kind == POSITION then
      local level = m.level + 1
      if level > 32 then
        error("too many captures", 0)
      end
      m.level = level
      m.start[level], m.length[level] = i, kind == OPEN and UNCLOSED or PLACE
      local ends = step(m, i, at + 1)
      if not ends then
        m.level = level - 1
      end
      return ends
    elseif kind == CLOSE then
      local level = m.level
      while level > 0 and m.length[level] ~= UNCLOSED do
        level = level - 1
      end
      if level == 0 then
        error("invalid pattern capture", 0)
      end
      m.length[level] = i - m.start[level]
      local ends = step(m, i, at + 1)
      if not ends then
        m.length[level] = UNCLOSED
      end
      return ends
    elseif kind == FINISH then
      if i ~= #s + 1 then
        return nil
      end
      at = at + 1
    elseif kind == BALANCE then
      local _, last = find(s, item.class, i)
      charge(last and last - i or #s - i)
      if not last or i > #s then
        return nil
      end
      i = last + 1
      at = at + 1
    elseif kind == FRONTIER then
      local before = i == 1 and "\0" or sub(s, i - 1, i - 1)
      local here = i > #s and "\0" or sub(s, i, i)
      if find(before, item.class) or not find(here, item.class) then
        return nil
      end
      at = at + 1
    else
      local index = item.index
      if index < 1 or index > m.level or m.length[index] == UNCLOSED then
        error("invalid capture index", 0)
      end
      local length = m.length[index]
      local text = sub(s, m.start[index], m.start[index] + length - 1)
      charge(length)
      if sub(s, i, i + length - 1) ~= text then
        return nil
      end
      i = i + length
      at = at + 1
    end
  end
  return i
end

local function matcher(s, facts)
  return {s = s, items = facts.items, level = 0, start = {}, length = {}}
end

--- The first match at or after `i`: its begin and the place after it.
local function search(m, facts, i)
  if i > #m.s + 1 then
    return nil
  end
  repeat
    m.level = 0
    local ends = step(m, i, 1)
    if ends then
      return i, ends
    end
    i = i + 1
  until facts.anchored or i > #m.s + 1
  return nil
end

local function capture(m, index, from, ends)
  if index > m.level then
    if index == 1 then
      return sub(m.s, from, ends - 1)
    end
    error("invalid capture index", 0)
  end
  local length = m.length[index]
  if length == PLACE then
    return m.start[index]
  elseif length == UNCLOSED then
    error("unfinished capture", 0)
  end
  return sub(m.s, m.start[index], m.start[index] + length - 1)
end

--- All captures as an array; the whole match if there are none and `whole`.
local function captures(m, from, ends, whole)
  local found = {}
  local count = m.level
  if count == 0 and whole then
    count = 1
  end
  for index = 1, count do
    found[index] = capture(m, index, from, ends)
  end
  return found, count
end

local function begin_of(s, init)
  init = tonumber(init) or 1
  if init < 0 then
    init = #s + init + 1
    if init < 1 then
      init = 1
    end
  elseif init == 0 then
    init = 1
  end
  return init > #s + 1 and #s + 1 or init
end

-- ---- the four functions

local own = {}

function own.find(s, p, facts, init)
  local m = matcher(s, facts)
  local from, ends = search(m, facts, begin_of(s, init))
  if not from then
    return nil
  end
  local found, count = captures(m, from, ends, false)
  return from, ends - 1, unpack(found, 1, count)
end

function own.match(s, p, facts, init)
  local m = matcher(s, facts)
  local from, ends = search(m, facts, begin_of(s, init))
  if not from then
    return nil
  end
  local found, count = captures(m, from, ends, true)
  return unpack(found, 1, count)
end

local function replacement(m, from, ends, repl)
  local kind = type(repl)
  local value
  if kind == "function" then
    local found, count = captures(m, from, ends, true)
    value = repl(unpack(found, 1, count))
  elseif kind == "table" then
    value = repl[capture(m, 1, from, ends)]
  else
    return (natives.gsub(repl, "%%(.?)", function(c)
      if c == "0" then
        return sub(m.s, from, ends - 1)
      elseif find(c, "^%d") then
        return tostring(capture(m, tonumber(c), from, ends))
      end
      return c
    end))
  end
  if not value then
    return sub(m.s, from, ends - 1)
  elseif type(value) ~= "string" and type(value) ~= "number" then
    error("invalid replacement value (a " .. type(value) .. ")", 0)
  end
  return value
end

function own.gsub(s, p, facts, repl, most)
  local m = matcher(s, facts)
  local out, size, count, i = {}, 0, 0, 1
  most = most or #s + 1
  while count < most do
    m.level = 0
    local ends = step(m, i, 1)
    if ends then
      count = count + 1
      size = size + 1
      out[size] = replacement(m, i, ends, repl)
    end
    if ends and ends > i then
      i = ends
    elseif i <= #s then
      size = size + 1
      out[size] = sub(s, i, i)
      i = i + 1
    else
      break
    end
    if facts.anchored then
      break
    end
  end
  out[size + 1] = sub(s, i)
  return concat(out), count
end

local NATIVE_COMPLAINTS = {
  "^bad argument", "^malformed pattern", "^missing '%['", "^unbalanced pattern", "^too many captures",
  "^invalid ", "^unfinished capture", "^pattern too complex",
}

--- Hand results on; an error of the matcher gets the place where it was called, one of a callback has its own.
local function results(name, ok, ...)
  if ok then
    return ...
  end
  local e = (...)
  if type(e) == "string" then
    e = natives.gsub(e, "^sandbox:%d+: ", "")
    for index = 1, #NATIVE_COMPLAINTS do
      if find(e, NATIVE_COMPLAINTS[index]) then
        complain(e, name, 1)
      end
    end
  end
  error(e, 0)
end

--- Subject and pattern as strings. What is neither a string nor a number is complained of.
local function text_of(value)
  return type(value) == "number" and tostring(value) or value
end

--- Let the native function judge its arguments: what is missing at the end is "no value" to it, not nil.
local function judged(native, s, p, ...)
  if select("#", ...) > 0 and (...) ~= nil then
    return pcall(native, s, p, ...)
  elseif p ~= nil then
    return pcall(native, s, p)
  elseif s ~= nil then
    return pcall(native, s)
  end
  return pcall(native)
end

local replaced = {}

local function find_or_match(name, s, p, init)
  local facts = too_much(s, p, true)
  if facts then
    return own[name](s, p, facts, init)
  end
  return natives[name](s, p, init)
end

function replaced.find(s, p, init, plain)
  if type(s) ~= "string" or type(p) ~= "string" then
    local ok, e = judged(natives.find, s, p, init, plain)
    if not ok then
      complain(e, "find", 0)
    end
    s, p = text_of(s), text_of(p)
  end
  if plain or not find(p, "[%^%$%*%+%?%.%(%[%%%-]") then
    if #s * #p > LIMIT then
      local at = memfind(s, p, begin_of(s, init))
      if at then
        return at, at + #p - 1
      end
      return nil
    end
    return results("find", pcall(natives.find, s, p, init, plain))
  end
  return results("find", pcall(find_or_match, "find", s, p, init))
end

function replaced.match(s, p, init)
  if type(s) ~= "string" or type(p) ~= "string" then
    local ok, e = judged(natives.match, s, p, init)
    if not ok then
      complain(e, "match", 0)
    end
    s, p = text_of(s), text_of(p)
  end
  return results("match", pcall(find_or_match, "match", s, p, init))
end

function replaced.gmatch(s, p)
  if type(s) ~= "string" or type(p) ~= "string" then
    local ok, e = judged(natives.gmatch, s, p)
    if not ok then
      complain(e, "gmatch", 0)
    end
    s, p = text_of(s), text_of(p)
  end
  local ok, facts = pcall(too_much, s, p, false)
  if not ok then
    complain(facts, "gmatch", 0)
  elseif not facts then
    return natives.gmatch(s, p)
  end
  local m, i = matcher(s, facts), 1
  local function following()
    local from, ends = search(m, facts, i)
    if not from then
      return {}, 0
    end
    i = ends > from and ends or ends + 1
    return captures(m, from, ends, true)
  end
  return function()
    local fine, found, count = pcall(following)
    if not fine then
      complain(found, "gmatch", 0)
    end
    return unpack(found, 1, count)
  end
end

local function gsub(s, p, repl, most)
  local facts = too_much(s, p, true)
  if facts then
    return own.gsub(s, p, facts, repl, most)
  end
  if most == nil then
    return natives.gsub(s, p, repl)
  end
  return natives.gsub(s, p, repl, most)
end

local REPLACEMENTS = {string = true, number = true, table = true, ["function"] = true}

function replaced.gsub(s, p, repl, most)
  if type(s) ~= "string" or type(p) ~= "string" or not REPLACEMENTS[type(repl)] then
    local ok, e = judged(natives.gsub, s, p, repl, most)
    if not ok then
      complain(e, "gsub", 0)
    end
    s, p = text_of(s), text_of(p)
  end
  return results("gsub", pcall(gsub, s, p, repl, most))
end

return replaced
