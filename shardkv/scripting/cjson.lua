--[[ cjson: JSON text from Lua values, and Lua values from JSON text.

The chunk is given `null`, the value that stands for JSON's, and makes one instance of the library: `settings` (a table
that the functions of configuration change), `encode(value)` and `decode(text)`, both run by pcall because their
errors are told by whoever called them. An error is a string without position.

Everything is decided as lua-cjson 2.1 decides it, with two of C's limits: a Lua stack has STACK places, of which each
level of nesting takes some; and the length of an array is a C int.

decode reads with patterns that take in a whole token and the blanks behind it, because the way from Lua to C and back
is what costs. Each reader is called with the place of its first character and returns the value, the place of what
comes next and the byte that is there (0: the end, as C sees it). Every pattern is anchored and goes back over each
character at most once, so the work grows with the text and no faster.
]]

local null = ...
local byte, char, find, format, gsub, match, sub = string.byte, string.char, string.find, string.format, string.gsub, string.match, string.sub
local concat, floor, error, next, pcall, tonumber, type = table.concat, math.floor, error, next, pcall, tonumber, type

local STACK = 8000
local INT_MAX = 2147483647

local settings = {
  sparse_convert = false, sparse_ratio = 2, sparse_safe = 10,
  encode_depth = 1000, decode_depth = 1000, precision = 14,
  encode_invalid = "off", decode_invalid = true, keep_buffer = true,
}

-- ---- encode

local SPECIAL = '[%c"/\\\127]'
local ESCAPED = {['"'] = '\\"', ["/"] = "\\/", ["\\"] = "\\\\", ["\8"] = "\\b", ["\9"] = "\\t", ["\10"] = "\\n",
  ["\12"] = "\\f", ["\13"] = "\\r"}
for code = 0, 31 do
  ESCAPED[char(code)] = ESCAPED[char(code)] or format("\\u%04x", code)
end
ESCAPED["\127"] = "\\u007f"

local out, size           -- the pieces of the text, and how many they are
local max_depth, number_format, invalid
local encode_table

local function cannot(value, why)
  error("Cannot serialise " .. type(value) .. ": " .. why, 0)
end

--- The piece for a number that is not plain: infinite, not a number, or with less than 14 digits.
local function encoded_number(number)
  if number - number ~= 0 then
    if invalid == "off" then
      cannot(number, "must not be NaN or Inf")
    elseif invalid == "null" then
      return "null"
    elseif number ~= number then
      return "nan"
    end
  end
  return number_format and format(number_format, number) or number
end

--- Appends what is neither string nor number.
local function encode_other(value, kind, depth, slots)
  if kind == "table" then
    return encode_table(value, depth, slots)
  end
  size = size + 1
  if kind == "boolean" then
    out[size] = value and "true" or "false"
  elseif value == nil or value == null then
    out[size] = "null"
  else
    cannot(value, "type not supported")
  end
end

--- Appends one value. `slots`: of the stack, that C would have in use. The calls that lead down are tail calls, so that
--- a level of nesting takes one call of the 20,000 that Lua allows.
local function encode_value(value, depth, slots)
  local kind = type(value)
  if kind == "string" then
    if find(value, SPECIAL) then
      value = gsub(value, SPECIAL, ESCAPED)
    end
    size = size + 1
    out[size] = '"' .. value .. '"'
  elseif kind == "number" then
    size = size + 1
    if number_format or value - value ~= 0 then
      value = encoded_number(value)
    end
    out[size] = value
  else
    return encode_other(value, kind, depth, slots)
  end
end

--- How many elements a table has as an array; 0 or less if it is an object.
local function array_length(t)
  local max, items = 0, 0
  for key in next, t do
    if type(key) ~= "number" or key < 1 or floor(key) ~= key then
      return -1
    end
    if key > max then
      max = key <= INT_MAX and key or -INT_MAX - 1
    end
    items = items + 1
  end
  local ratio = settings.sparse_ratio
  if ratio > 0 and max > items * ratio and max > settings.sparse_safe then
    if not settings.sparse_convert then
      cannot(t, "excessively sparse array")
    end
    return -1
  end
  return max
end

local function encode_array(t, length, depth, slots)
  size = size + 1
  out[size] = "["
  for i = 1, length do
    if i > 1 then
      size = size + 1
      out[size] = ","
    end
    encode_value(t[i], depth, slots + 1)
  end
  size = size + 1
  out[size] = "]"
end

local function encode_object(t, depth, slots)
  local before = "{"
  for key, value in next, t do
    local kind = type(key)
    if kind == "string" then
      if find(key, SPECIAL) then
        key = gsub(key, SPECIAL, ESCAPED)
      end
    elseif kind == "number" then
      key = encoded_number(key)
    else
      cannot(key, "table key must be a number or string")
    end
    size = size + 1
    out[size] = before .. '"' .. key .. '":'
    before = ","
    encode_value(value, depth, slots + 2)
  end
  size = size + 1
  out[size] = before == "{" and "{}" or "}"
end

function encode_table(t, depth, slots)
  depth = depth + 1
  if depth > max_depth or slots + 3 > STACK then
    error("Cannot serialise, excessive nesting (" .. depth .. ")", 0)
  end
  -- Most arrays are met in their order, and then nothing else needs to be asked.
  local length, ordered = 0, true
  for key in next, t do
    length = length + 1
    if key ~= length then
      ordered = false
      break
    end
  end
  if not ordered then
    length = array_length(t)
  end
  if length > 0 then
    return encode_array(t, length, depth, slots)
  end
  return encode_object(t, depth, slots)
end

local function encoded(value)
  encode_value(value, 0, 1)
  return concat(out, "", 1, size)
end

local function encode(value)
  out, size = {}, 0
  max_depth, invalid = settings.encode_depth, settings.encode_invalid
  number_format = settings.precision ~= 14 and "%." .. settings.precision .. "g" or nil
  local ok, text = pcall(encoded, value)
  out = nil
  return ok, text
end

-- ---- decode

local BLANK, NOT_BLANK = "^[ \t\r\n]*()", "[^ \t\r\n]"
local TEXT = '^([^"\\%z]*)"[ \t\r\n]*()([%z\1-\255]?)'
local NAME = '^[ \t\r\n]*"([^"\\%z]*)"[ \t\r\n]*:[ \t\r\n]*()'
local INTEGER = "^(-?[1-9]%d*)[ \t\r\n]*()[,%]}]"
local PLAIN = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\8", f = "\12", n = "\10", r = "\13", t = "\9"}
local TOKENS = {["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END",
  [","] = "T_COMMA", [":"] = "T_COLON", ["\0"] = "T_END", [""] = "T_END"}

local text, strict, depth_limit
local depth, slots = 0, 0
local readers = {}        -- by the byte that a value begins with

local function skip(place)
  place = find(text, NOT_BLANK, place) or #text + 1
  return place, byte(text, place) or 0
end

local function utf8(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xF0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40, 0x80 + floor(code / 0x40) % 0x40,
    0x80 + code % 0x40)
end

--- The character of `\uXXXX`, or of a pair of them, at this place, and its length in the text.
local function unicode(place)
  local code = tonumber(match(text, "^%x%x%x%x", place + 2) or "", 16)
  if not code then
    return nil
  elseif code < 0xD800 or code > 0xDFFF then
    return utf8(code), 6
  end
  local low = tonumber(match(text, "^\\u(%x%x%x%x)", place + 6) or "", 16)
  if code >= 0xDC00 or not low or low < 0xDC00 or low > 0xDFFF then
    return nil
  end
  return utf8(0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00), 12
end

--- The string whose quotation mark is at this place, and the place behind it; or nil, the complaint and its place.
local function read_string(place)
  local pieces, count = {}, 0
  place = place + 1
  while true do
    local run, stop, letter = match(text, '^([^"\\%z]*)()([%z\1-\255]?)', place)
    count = count + 1
    pieces[count] = run
    place = stop
    if letter == '"' then
      return concat(pieces), place + 1
    elseif letter ~= "\\" then
      return nil, "unexpected end of string", place
    end
    letter = sub(text, place + 1, place + 1)
    local piece, length = PLAIN[letter], 2
    if letter == "u" then
      piece, length = unicode(place)
      if not piece then
        return nil, "invalid unicode escape code", place
      end
    elseif not piece then
      return nil, "invalid escape code", place
    end
    count = count + 1
    pieces[count] = piece
    place = place + length
  end
end

--- Whether strtod would take more than JSON allows.
local function lax(place)
  return find(text, "^+", place) or find(text, "^-?0[xX%d]", place)
    or find(text, "^-?[iI][nN][fF]", place) or find(text, "^-?[nN][aA][nN]", place)
end

local function decimal(place)
  local stop = match(text, "^%d+%.?%d*()", place) or match(text, "^%.%d+()", place)
  return stop and (match(text, "^[eE][+-]?%d+()", stop) or stop)
end

local function hexadecimal(place)
  local stop = match(text, "^0[xX]%x+%.?%x*()", place) or match(text, "^0[xX]%.%x+()", place)
  return stop and (match(text, "^[pP][+-]?%d+()", stop) or stop)
end

local function unusual(place)
  return match(text, "^[iI][nN][fF][iI][nN][iI][tT][yY]()", place) or match(text, "^[iI][nN][fF]()", place)
    or match(text, "^[nN][aA][nN]%([%w_]*%)()", place) or match(text, "^[nN][aA][nN]()", place)
end

--- A number as strtod reads it, and the place behind it; nil if there is none.
local function read_number(place)
  local start = match(text, "^[+-]?()", place)
  local stop = hexadecimal(start) or decimal(start) or unusual(start)
  if stop then
    return tonumber(sub(text, place, stop - 1)), stop
  end
end

--- What the lexer of lua-cjson finds at this place: the name of a token or a complaint, and its place.
local function token(place)
  local letter = sub(text, place, place)
  if TOKENS[letter] then
    return TOKENS[letter], place
  elseif letter == '"' then
    local value, complaint, at = read_string(place)
    if not value then
      return complaint, at
    end
    return "T_STRING", place
  elseif find(letter, "[-%d]") then
    return (strict and lax(place) or not read_number(place)) and "invalid number" or "T_NUMBER", place
  elseif match(text, "^true", place) or match(text, "^false", place) then
    return "T_BOOLEAN", place
  elseif match(text, "^null", place) then
    return "T_NULL", place
  elseif not strict and find(letter, "[+iInN]") and lax(place) then
    return read_number(place) and "T_NUMBER" or "invalid number", place
  end
  return "invalid token", place
end

local function expected(what, place)
  local found, at = token(place)
  error("Expected " .. what .. " but found " .. found .. " at character " .. at, 0)
end

local function no_value(place)
  return expected("value", place)
end

setmetatable(readers, {__index = function() return no_value end})

local function descend(place, needed)
  depth = depth + 1
  if depth > depth_limit or slots + needed > STACK then
    error("Found too many nested data structures (" .. depth .. ") at character " .. place, 0)
  end
end

readers[34] = function(place)
  local value, stop, letter = match(text, TEXT, place + 1)
  if value then
    return value, stop, byte(letter) or 0
  end
  value, stop = read_string(place)
  if not value then
    expected("value", place)
  end
  return value, skip(stop)
end

local function number(place)
  local digits, stop = match(text, INTEGER, place)
  if digits then
    return tonumber(digits), stop, byte(text, stop)
  end
  if token(place) ~= "T_NUMBER" then
    expected("value", place)
  end
  digits, stop = read_number(place)
  return digits, skip(stop)
end

for letter in ("-+0123456789iI"):gmatch(".") do
  readers[byte(letter)] = number
end

local function word(spelling, value)
  local pattern, length = "^" .. spelling, #spelling
  return function(place)
    if find(text, pattern, place) then
      return value, skip(place + length)
    end
    return number(place)
  end
end

readers[116], readers[102], readers[110] = word("true", true), word("false", false), word("null", null)
readers[78] = number

readers[91] = function(place)
  local t, count, value, next_byte = {}, 0, nil, nil
  descend(place, 2)
  slots = slots + 1
  place, next_byte = skip(place + 1)
  while next_byte ~= 93 or count > 0 do
    value, place, next_byte = readers[next_byte](place)
    count = count + 1
    t[count] = value
    if next_byte == 93 then
      break
    elseif next_byte ~= 44 then
      expected("comma or array end", place)
    end
    place = place + 1
    next_byte = byte(text, place) or 0
    if next_byte <= 32 then
      place, next_byte = skip(place)
    end
  end
  depth, slots = depth - 1, slots - 1
  return t, skip(place + 1)
end

--- The name of a member and the place of its value, with all that may be wrong there.
local function read_name(place)
  local next_byte, name, stop
  place, next_byte = skip(place)
  if next_byte ~= 34 then
    expected("object key string", place)
  end
  name, stop = read_string(place)
  if not name then
    expected("object key string", place)
  end
  place, next_byte = skip(stop)
  if next_byte ~= 58 then
    expected("colon", place)
  end
  return name, match(text, BLANK, place + 1)
end

readers[123] = function(place)
  local t, name, value, next_byte = {}, nil, nil, nil
  descend(place, 3)
  slots = slots + 2
  name, value = match(text, NAME, place + 1)
  if not name then
    local stop
    stop, next_byte = skip(place + 1)
    if next_byte == 125 then
      depth, slots = depth - 1, slots - 2
      return t, skip(stop + 1)
    end
    name, value = read_name(stop)
  end
  place = value
  while true do
    value, place, next_byte = readers[byte(text, place) or 0](place)
    t[name] = value
    if next_byte == 125 then
      break
    elseif next_byte ~= 44 then
      expected("comma or object end", place)
    end
    name, value = match(text, NAME, place + 1)
    if not name then
      name, value = read_name(place + 1)
    end
    place = value
  end
  depth, slots = depth - 1, slots - 2
  return t, skip(place + 1)
end

local function decoded()
  local first, second = byte(text, 1, 2)
  if second and (first == 0 or second == 0) then
    error("JSON parser does not support UTF-16 or UTF-32", 0)
  end
  local place, next_byte = skip(1)
  local value
  value, place, next_byte = readers[next_byte](place)
  if next_byte ~= 0 then
    expected("the end", place)
  end
  return value
end

local function decode(json)
  text, strict, depth_limit = json, not settings.decode_invalid, settings.decode_depth
  depth, slots = 0, 1
  local ok, value = pcall(decoded)
  text = nil
  return ok, value
end

return settings, encode, decode
