--[[ cmsgpack: MessagePack from Lua values and back, as lua-cmsgpack 0.4 has it.

`pack(...)` and `unpack(data, limit, offset)` are run by pcall because their errors are told by whoever called them; an
error is a string without position.

What is peculiar to lua-cmsgpack: tables nested deeper than 16 become nil; a table is an array when its keys are the
integers from 1 to their number, an empty one included; a number without a fraction is an integer of the fewest bytes,
another is a float where a float holds it. There is neither bin nor ext.
]]

local byte, char, sub = string.byte, string.char, string.sub
local floor, frexp, ldexp = math.floor, math.frexp, math.ldexp
local concat = table.concat
local error, next, pcall, select, tostring, type = error, next, pcall, select, tostring, type

local NESTING = 16
local STACK = 8000        -- places on a stack of Lua's
local INT_MAX = 2147483647
local HUGE = 1 / 0

-- ---- bytes

local function two(n)
  return char(floor(n / 256) % 256, n % 256)
end

local function four(n)
  return char(floor(n / 16777216) % 256, floor(n / 65536) % 256, floor(n / 256) % 256, n % 256)
end

--- A whole number of 64 bits, negative ones as their complement.
local function eight(n)
  local high = floor(n / 4294967296)
  return four(high % 4294967296) .. four(n - high * 4294967296)
end

--- Whether a float holds this number, and its sign bit, exponent and 24 bits of mantissa if it does.
local function as_float(n)
  local fraction, exponent = frexp(n < 0 and -n or n)
  local bits = exponent + 126
  if bits < 1 then                -- denormal: fewer bits of mantissa
    fraction, bits = ldexp(fraction, bits - 1), 0
  end
  local mantissa = fraction * 16777216
  return floor(mantissa) == mantissa and bits <= 254, bits, mantissa
end

local function real(n)
  local sign = n < 0 and 128 or 0
  if n == HUGE or n == -HUGE then
    return char(0xCA, sign + 127, 128, 0, 0)
  elseif n ~= n then
    return char(0xCB, byte(tostring(n)) == 45 and 255 or 127, 248, 0, 0, 0, 0, 0, 0)
  end
  local holds, bits, mantissa = as_float(n)
  if holds then
    if bits > 0 then
      mantissa = mantissa - 8388608
    end
    return char(0xCA, sign + floor(bits / 2), bits % 2 * 128 + floor(mantissa / 65536)) .. two(mantissa % 65536)
  end
  local fraction, exponent = frexp(n < 0 and -n or n)
  bits = exponent + 1022
  if bits < 1 then
    fraction, bits = ldexp(fraction, bits - 1), 0
  else
    fraction = fraction - 0.5
  end
  mantissa = fraction * 9007199254740992
  local high = floor(mantissa / 4294967296)
  return char(0xCB, sign + floor(bits / 16), bits % 16 * 16 + floor(high / 65536)) .. two(high % 65536)
    .. four(mantissa % 4294967296)
end

-- ---- pack

local out, size
local pack_value

local function integer(n)
  if n >= 0 then
    if n <= 0x7F then
      return char(n)
    elseif n <= 0xFF then
      return char(0xCC, n)
    elseif n <= 0xFFFF then
      return "\205" .. two(n)
    elseif n <= 0xFFFFFFFF then
      return "\206" .. four(n)
    end
    return "\207" .. eight(n)
  elseif n >= -32 then
    return char(256 + n)
  elseif n >= -0x80 then
    return char(0xD0, 256 + n)
  elseif n >= -0x8000 then
    return "\209" .. two(n % 65536)
  elseif n >= -0x80000000 then
    return "\210" .. four(n % 4294967296)
  end
  return "\211" .. eight(n)
end

local function number(n)
  if floor(n) == n and n < 9223372036854775808 and n >= -9223372036854775808 then
    return integer(n)
  end
  return real(n)
end

local function text_header(length)
  if length < 32 then
    return char(0xA0 + length)
  elseif length <= 0xFF then
    return char(0xD9, length)
  elseif length <= 0xFFFF then
    return "\218" .. two(length)
  end
  return "\219" .. four(length)
end

local function header(count, small, medium, large)
  if count <= 15 then
    return char(small + count)
  elseif count <= 0xFFFF then
    return medium .. two(count)
  end
  return large .. four(count)
end

--- Whether C takes the table for an array.
local function is_array(t)
  local count, max = 0, 0
  for key in next, t do
    if type(key) ~= "number" or key < 1 or key > INT_MAX or floor(key) ~= key then
      return false
    end
    max = key > max and key or max
    count = count + 1
  end
  return max == count
end

local function pack_table(t, level)
  -- Most arrays are met in their order, and then nothing else needs to be asked.
  local count, ordered = 0, true
  for key in next, t do
    count = count + 1
    if key ~= count then
      ordered = false
      break
    end
  end
  if ordered or is_array(t) then
    count = #t
    size = size + 1
    out[size] = header(count, 0x90, "\220", "\221")
    for i = 1, count do
      pack_value(t[i], level)
    end
    return
  end
  size = size + 1
  local place = size
  count = 0
  for key, value in next, t do
    count = count + 1
    pack_value(key, level)
    pack_value(value, level)
  end
  out[place] = header(count, 0x80, "\222", "\223")
end

function pack_value(value, level)
  local kind = type(value)
  if kind == "table" and level < NESTING then
    return pack_table(value, level + 1)
  end
  size = size + 1
  if kind == "string" then
    local length = #value
    out[size] = length < 32 and char(0xA0 + length) or text_header(length)
    size = size + 1
    out[size] = value
  elseif kind == "number" then
    out[size] = number(value)
  elseif kind == "boolean" then
    out[size] = value and "\195" or "\194"
  else
    out[size] = "\192"
  end
end

local function packed(...)
  for i = 1, select("#", ...) do
    pack_value((select(i, ...)), 0)
  end
  return concat(out, "", 1, size)
end

local function pack(...)
  out, size = {}, 0
  local ok, data = pcall(packed, ...)
  out = nil
  return ok, data
end

-- ---- unpack

local data, place, last   -- the bytes, the next one's place, and the place of the last
local slots               -- of C's stack that are in use
local bare                -- the error is one of Lua's own
local readers = {}        -- by first byte: the value, with `place` behind the first byte
local read

--- The place of the first of `count` bytes, which are passed.
local function take(count)
  local at = place
  place = at + count
  if place > last + 1 then
    error("Missing bytes in input.", 0)
  end
  return at
end

local function check_stack(needed, why)
  if slots + needed > STACK then
    error("stack overflow (" .. why .. ")", 0)
  end
end

function read()
  check_stack(1, "too many return values at once; use unpack_one or unpack_limit instead.")
  local at = place
  if at > last then
    error("Missing bytes in input.", 0)
  end
  place = at + 1
  local reader = readers[byte(data, at)]
  if not reader then
    error("Bad data format in input.", 0)
  end
  return reader()
end

local function u16()
  local a, b = byte(data, take(2), place - 1)
  return a * 256 + b
end

local function u32()
  local a, b, c, d = byte(data, take(4), place - 1)
  return a * 16777216 + b * 65536 + c * 256 + d
end

local function text(length)
  local at = take(length)
  return sub(data, at, place - 1)
end

local function array(count)
  check_stack(2, "in function mp_decode_to_lua_array")
  local t = {}
  slots = slots + 2
  for i = 1, count do
    t[i] = read()
  end
  slots = slots - 2
  return t
end

local function map(count)
  check_stack(1, "in function mp_decode_to_lua_hash")
  local t = {}
  slots = slots + 1
  for _ = 1, count do
    local key = read()
    slots = slots + 1
    local value = read()
    slots = slots - 1
    if key == nil or key ~= key then
      bare = true
      error("table index is " .. (key == nil and "nil" or "NaN"), 0)
    end
    t[key] = value
  end
  slots = slots - 1
  return t
end

--- The sign of a NaN shows in how it is printed. What infinities leave when they cancel is negative here.
local function not_a_number(sign)
  return sign < 0 and HUGE - HUGE or -(HUGE - HUGE)
end

local function float()
  local a, b, c, d = byte(data, take(4), place - 1)
  local sign, bits, mantissa = a >= 128 and -1 or 1, a % 128 * 2 + floor(b / 128), b % 128 * 65536 + c * 256 + d
  if bits == 255 then
    return mantissa == 0 and sign * HUGE or not_a_number(sign)
  elseif bits == 0 then
    return sign * ldexp(mantissa, -149)
  end
  return sign * ldexp(mantissa + 8388608, bits - 150)
end

local function double()
  local a, b, c, d, e, f, g, h = byte(data, take(8), place - 1)
  local sign, bits = a >= 128 and -1 or 1, a % 128 * 16 + floor(b / 16)
  local mantissa = ((b % 16 * 65536 + c * 256 + d) * 4294967296) + (e * 16777216 + f * 65536 + g * 256 + h)
  if bits == 2047 then
    return mantissa == 0 and sign * HUGE or not_a_number(sign)
  elseif bits == 0 then
    return sign * ldexp(mantissa, -1074)
  end
  return sign * ldexp(mantissa + 4503599627370496, bits - 1075)
end

--- 64 bits as a signed integer.
local function i64()
  local high = u32()
  return (high >= 0x80000000 and high - 4294967296 or high) * 4294967296 + u32()
end

for code = 0, 0x7F do
  readers[code] = function() return code end
  readers[0x80 + code % 16] = function() return map(code % 16) end
  readers[0x90 + code % 16] = function() return array(code % 16) end
  readers[0xA0 + code % 32] = function() return text(code % 32) end
  readers[0xE0 + code % 32] = function() return code % 32 - 32 end
end
readers[0xC0] = function() return nil end
readers[0xC2] = function() return false end
readers[0xC3] = function() return true end
readers[0xCA], readers[0xCB] = float, double
readers[0xCC] = function() return byte(data, take(1)) end
readers[0xCD], readers[0xCE], readers[0xCF] = u16, u32, i64
readers[0xD0] = function() return (byte(data, take(1)) + 128) % 256 - 128 end
readers[0xD1] = function() return (u16() + 32768) % 65536 - 32768 end
readers[0xD2] = function() return (u32() + 2147483648) % 4294967296 - 2147483648 end
readers[0xD3] = i64
readers[0xD9] = function() return text(byte(data, take(1))) end
readers[0xDA] = function() return text(u16()) end
readers[0xDB] = function() return text(u32()) end
readers[0xDC] = function() return array(u16()) end
readers[0xDD] = function() return array(u32()) end
readers[0xDE] = function() return map(u16()) end
readers[0xDF] = function() return map(u32()) end

--- How many bytes are left, how many values there are, the first of them, and all.
local function unpacked(limit)
  local values, count = {}, 0
  while place <= last and count < limit do
    count = count + 1
    values[count] = read()
    slots = slots + 1
  end
  return last + 1 - place, count, values[1], values
end

--- At most `limit` values of what comes behind `offset` bytes, after whether an error has no position, and pcall's word.
local function unpack(bytes, limit, offset)
  data, place, last, slots, bare = bytes, offset + 1, #bytes, 1, false
  local function finish(...)
    data = nil
    return bare, ...
  end
  return finish(pcall(unpacked, limit))
end

return pack, unpack
