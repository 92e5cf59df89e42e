"""Scripts that mean no good: escapes, which try to get out of the sandbox or to leave something behind for the next
script, and bombs, which try to take the node's time or memory.

An escape that has succeeded returns ``"escaped"``. Bombs find a long list at ``attacks:list`` and a long string at
``attacks:string``; they change nothing, so that SCRIPT KILL may end them.
"""

from __future__ import annotations

from typing import Final

ESCAPES: Final[dict[str, str]] = {
    # ---- to what Lua has and scripts must not
    "io": "return io and 'escaped'",
    "os beyond the clock": "return (os.execute or os.getenv or os.exit or os.remove) and 'escaped'",
    "require": "return require('os') and 'escaped'",
    "package": "return package.loadlib and 'escaped'",
    "debug": "return debug.getregistry and 'escaped'",
    "dofile": "return dofile('/etc/passwd') and 'escaped'",
    "loadfile": "return loadfile('/etc/passwd') and 'escaped'",
    "print": "return print and 'escaped'",
    "module": "module('mine') return 'escaped'",
    "newproxy": "return newproxy(true) and 'escaped'",
    "getfenv": "return getfenv(0) and 'escaped'",
    "setfenv": "setfenv(0, {}) return 'escaped'",
    "python": "return python and 'escaped'",
    "python by eval": "return python.eval('1') and 'escaped'",
    "the real globals by _G": "return (rawget(_G, 'debug') or rawget(_G, 'io') or rawget(_G, 'python')) and 'escaped'",
    "the globals of a compiled text": "return loadstring('return debug or io or python')() and 'escaped'",
    "the globals of a coroutine": "return coroutine.wrap(function() return io or debug end)() and 'escaped'",
    "bytecode": "local f = loadstring(string.dump(function() return 'escaped' end)) return f and f()",
    "bytecode by load": """
        local code, done = string.dump(function() return 'escaped' end), false
        local f = load(function() if not done then done = true return code end end)
        return f and f()""",
    "bytecode in pieces": """
        local code, at = string.dump(function() return 'escaped' end), 0
        local f = load(function() at = at + 1 if at <= #code then return code:sub(at, at) end end)
        return f and f()""",
    "made-up bytecode": "local f = loadstring('\\27Lua' .. ('\\0'):rep(100)) return f and 'escaped'",
    # ---- to Python
    "attributes of a function": "return redis.call.__self__ and 'escaped'",
    "attributes of a function, by index": "return redis.call['__globals__'] and 'escaped'",
    "the metatable of a function": "return getmetatable(redis.call) and 'escaped'",
    "what an error is": """
        local ok, e = pcall(redis.call, 'no such command')
        return type(e) == 'userdata' and 'escaped'""",
    "what an error is to a handler": """
        local kind
        xpcall(function() redis.call('no such command') end, function(e) kind = type(e) end)
        return kind == 'userdata' and 'escaped'""",
    "what an error is to a coroutine": """
        local ok, e = coroutine.resume(coroutine.create(function() redis.call('no such command') end))
        return type(e) == 'userdata' and 'escaped'""",
    "what an error is through wrap": """
        local ok, e = pcall(coroutine.wrap(function() redis.call('no such command') end))
        return type(e) == 'userdata' and 'escaped'""",
    "what an error is through load": """
        local f, e = load(function() redis.call('no such command') end)
        return type(e) == 'userdata' and 'escaped'""",
    "what an error is through sort": """
        local ok, e = pcall(table.sort, {1, 2, 3}, function() redis.call('no such command') end)
        return type(e) == 'userdata' and 'escaped'""",
    "what an error is through gsub": """
        local ok, e = pcall(string.gsub, 'abc', '.', function() redis.call('no such command') end)
        return type(e) == 'userdata' and 'escaped'""",
    "the null of cjson": "return (getmetatable(cjson.null) or cjson.null.x) and 'escaped'",
    "a function given to a function of C": "return type(cjson.encode(redis.call)) == 'userdata' and 'escaped'",
    "odd arguments": "return redis.call(redis.call, print, {}, function() end) and 'escaped'",
    # ---- to leave something behind
    "a global": "escaped = 1 return 'escaped'",
    "a global by _G": "_G.escaped = 1 return 'escaped'",
    "a global by rawset": "rawset(_G, 'escaped', 1) return 'escaped'",
    "a global by a compiled text": "loadstring('escaped = 1')() return 'escaped'",
    "a metatable for the globals": "setmetatable(_G, {__index = function() return 1 end}) return 'escaped'",
    "in the metatable of the globals": "getmetatable(_G).__index = function() return 1 end return 'escaped'",
    "in the metatable of strings": "getmetatable('').__index.len = function() return 1 end return 'escaped'",
    "another metatable of strings": "getmetatable('').__index = {} return 'escaped'",
    "in a library": "string.rep = function() return 'mine' end return 'escaped'",
    "in a library by rawset": "rawset(string, 'rep', 1) return 'escaped'",
    "in a library by insert": "table.insert(table, 1) return 'escaped'",
    "in the redis table": "redis.call = function() return 'mine' end return 'escaped'",
    "in cjson": "cjson.encode = nil return 'escaped'",
    "a metatable for a library": "setmetatable(math, {__call = function() end}) return 'escaped'",
    "in the table behind, by an iterator": """
        local f, t = pairs(string)
        t.escaped = 1
        return string.escaped and 'escaped'""",
    "in the table behind, by an error": """
        pcall(error, string)
        xpcall(function() error(string) end, __redis__err__handler)
        __redis__err__handler(string)
        return rawget(string, 'source') and 'escaped'""",
    "in KEYS and ARGV": "KEYS.escaped = 1 ARGV[7] = 'x' KEYS[1] = 'y'",
    "a stopped collector": "collectgarbage('stop') collectgarbage('setpause', 100000)",
    "RESP3": "redis.setresp(3)",
    "nowhere to replicate to": "redis.set_repl(redis.REPL_NONE) redis.call('set', 'unreplicated', 1)",
    "another database": "redis.call('select', 7)",
}

BOMBS: Final[dict[str, str]] = {
    # ---- time
    "a loop": "while true do end",
    "a loop that catches": "while true do pcall(function() while true do end end) end",
    "a loop whose handler loops": """
        local function loop() while true do end end
        while true do xpcall(loop, loop) end""",
    "a loop in a coroutine": "coroutine.wrap(function() while true do end end)()",
    "coroutines without end": "while true do coroutine.wrap(function() while true do coroutine.yield() end end)() end",
    "coroutines inside each other": """
        local function down() return coroutine.wrap(function() return down() end)() end
        while true do pcall(down) end""",
    "a loop in a metamethod": "return setmetatable({}, {__index = function() while true do end end}).x",
    "a loop in a comparison": "table.sort({3, 2, 1}, function() while true do end end)",
    "a loop in a replacement": "('aaa'):gsub('a', function() while true do end end)",
    "a loop in a reader": "load(function() while true do end end)",
    "a reader without end": "load(function() return ' ' end)",
    "commands without end": "while true do redis.call('ping') end",
    "refused commands without end": "while true do pcall(redis.call, 'no such command') end",
    "errors without end": "while true do pcall(error, {}) end",
    "nothing, repeated": "while true do (''):rep(2147483647) end",
    "much, repeated": "while true do ('x'):rep(1000000) end",
    "a pattern with stars": "return ('a'):rep(200000):find('a*a*a*a*a*b')",
    "a pattern with lazy stars": "return ('a'):rep(200000):match('.-.-.-.-b')",
    "a pattern with optional parts": "return ('a'):rep(60):match(('a?'):rep(60) .. ('a'):rep(61))",
    "a pattern of captures": "return ('a'):rep(100000):match('(a*)(a*)(a*)%1%2%3b')",
    "a pattern that is long": "return ('a'):rep(300000):match(('a?'):rep(300000) .. 'b')",
    "a pattern that is wrong at its end": "return ('a'):rep(100000):find('a*a*a*a*b[')",
    "a balanced pattern": "return ('('):rep(1000000):find('%b()')",
    "a frontier over and over": "return ('a'):rep(500000):gsub('%f[%w]a*b', '')",
    "a plain search": "while true do ('a'):rep(1000000):find(('a'):rep(500000) .. 'b', 1, true) end",
    "a search over and over": "for _ in ('a'):rep(1000000):gmatch('a-b') do end",
    "replacing over and over": "return (('a'):rep(300000):gsub('a*b', ''))",
    "a sort": "local t = {} for i = 1, 500000 do t[i] = i * 7919 % 500009 end while true do table.sort(t) end",
    "insertions at the front": "local t = {} while true do table.insert(t, 1, 1) end",
    "joins": "local t = {} for i = 1, 100000 do t[i] = 'xxxxxxxxxx' end while true do table.concat(t) end",
    "collections": "local t = {} for i = 1, 300000 do t[i] = {} end while true do collectgarbage() end",
    "a table with a long way to its first entry": """
        local t = {}
        for i = 1, 1000000 do t[i] = true end
        while true do local k = next(t) if not k then break end t[k] = nil end
        while true do end""",
    "text to compile": "local s = ('x = 1 '):rep(100000) while true do loadstring(s) end",
    "JSON": "local s = '[' .. ('1,'):rep(200000) .. '1]' while true do cjson.decode(s) end",
    "msgpack": "local t = {} for i = 1, 200000 do t[i] = i end while true do cmsgpack.unpack(cmsgpack.pack(t)) end",
    "slow commands": "while true do redis.call('lrange', 'attacks:list', 0, -1) end",
    "slow commands in a coroutine": """
        coroutine.wrap(function() while true do pcall(redis.call, 'sort_ro', 'attacks:list') end end)()""",
    # ---- memory
    "a table that grows": "local t = {} while true do t[#t + 1] = {} end",
    "a string that doubles": "local s = 'x' while true do s = s .. s end",
    "strings that are kept": "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
    "a string all at once": "return ('x'):rep(2000000000)",
    "a join of everything": "local t = {} for i = 1, 100000 do t[i] = ('y'):rep(10000) end return table.concat(t)",
    "replies that are kept": "local t = {} while true do t[#t + 1] = redis.call('get', 'attacks:string') .. #t end",
    "arrays that are kept": "local t = {} while true do t[#t + 1] = redis.call('lrange', 'attacks:list', 0, -1) end",
    "memory, caught": """
        local function grow() local t = {} while true do t[#t + 1] = ('x'):rep(1000) end end
        while true do pcall(grow) end""",
    "tables for arguments, with the memory full": """
        local t = {}
        pcall(function() while true do t[#t + 1] = ('x'):rep(1000) .. #t end end)
        while true do pcall(redis.call, {}, {}, {}, {}) pcall(cjson.encode, {1, 2}) end""",
    "coroutines that are kept": "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "closures that are kept": "local t = {} while true do local n = #t t[n + 1] = function() return n end end",
    "a format": "local s = ('x'):rep(5000000) while true do s = ('%s%s'):format(s, s) end",
    "a reply that is large": "local t = {} for i = 1, 10000000 do t[i] = i end return t",
    "JSON that is large": "local t = {} for i = 1, 10000000 do t[i] = 'xxxxxxxxxx' end return cjson.encode(t)",
    # ---- depth
    "recursion": "local function f() return 1 + f() end return f()",
    "recursion that catches": "local function f() return pcall(f) end while true do f() end",
    "a reply inside itself": "local t = {} t[1] = t return t",
    "JSON inside itself": "local t = {} t[1] = t return cjson.encode(t)",
    "msgpack inside itself": "local t = {} t[1] = t return #cmsgpack.pack(t)",
    "deep JSON": "return #cjson.encode(cjson.decode(('['):rep(100000)))",
    "deep text to compile": "return loadstring('return ' .. ('('):rep(100000))",
    "a deep chain of metatables": """
        local t = {}
        for i = 1, 200 do t = setmetatable({}, {__index = t}) end
        return t.x""",
    "a handler that fails": "xpcall(function() error('x') end, function() error('y') end) return 1",
    "tostring that loops": "error(setmetatable({}, {__tostring = function() while true do end end}))",
    "many words": """
        local t = {}
        for i = 1, 7999 do t[i] = 'k' end
        return redis.call('mget', unpack(t))""",
}

#: What the world of scripts looks like; it must look the same after every attack.
FINGERPRINT: Final = """
    local seen = {}
    local function note(name, t)
      local names = {}
      for key, value in pairs(t) do names[#names + 1] = tostring(key) .. ':' .. type(value) end
      table.sort(names)
      seen[#seen + 1] = name .. '=' .. table.concat(names, ' ')
    end
    note('_G', _G)
    local libraries = 'string table math coroutine os redis cjson cmsgpack struct bit'
    for name in libraries:gmatch('%a+') do
      note(name, _G[name])
      seen[#seen + 1] = type(getmetatable(_G[name]))
    end
    note('strings', getmetatable(''))
    seen[#seen + 1] = ('x'):rep(3) .. ('xyz'):len() .. tostring(KEYS.escaped) .. tostring(ARGV[7]) .. #KEYS
    seen[#seen + 1] = type(redis.call('get', 'no such key')) .. cjson.encode({1}) .. redis.call('ping').ok
    return seen
"""
