-- One script a line, each run with KEYS = {'k'} and ARGV = {'a'} beside redis-server.
local t={} local c=0 local a={} a[1]=a return #a
redis.call("set","a","b") error()
error(nil)
error(1)
error({err="x"})
error({err="x y"})
error({err="-x y"})
error("a\nb")
error("x",0)
error("x",2)
return {err="-ERR foo"}
return {err=""}
return {ok="a\nb"}
return {ok=1}
return {err=1}
local t={} t[1]={err="x y"} return t
return {double=1.5}
return {double="x"}
return {double=3}
return {map={a=1}}
return {map=1}
return {set={a=1}}
return {big_number="12"}
return {big_number=12}
return {verbatim_string={string="a",format="txt"}}
return {verbatim_string={string="a"}}
return redis.pcall("foo")
local e=redis.pcall("foo") local s={} for k,v in pairs(e) do s[#s+1]=k.."="..tostring(v)..";" end table.sort(s) return s
local e=redis.pcall("incr",KEYS[1],1,2) local s={} for k,v in pairs(e) do s[#s+1]=k.."="..tostring(v)..";" end table.sort(s) return s
redis.call("set",KEYS[1],"x") local e=redis.pcall("incr",KEYS[1]) local s={} for k,v in pairs(e) do s[#s+1]=k.."="..tostring(v)..";" end table.sort(s) return s
local ok,e=pcall(redis.call,"foo") local s={} for k,v in pairs(e) do s[#s+1]=k.."="..tostring(v)..";" end table.sort(s) return s
local ok,e=pcall(function() redis.call("foo") end) local s={} for k,v in pairs(e) do s[#s+1]=k.."="..tostring(v)..";" end table.sort(s) return s
local ok,e=pcall(redis.call,"foo") error(e)
local ok,e=pcall(error,"x") return e
local ok,e=pcall(error,"x",2) return e
local ok,e=xpcall(function() redis.call("foo") end, function(e) return type(e) end) return e
return {redis.call("ping")}
return coroutine.wrap(function() return redis.call("foo") end)()
return coroutine.wrap(function() error("x") end)()
return {coroutine.resume(coroutine.create(function() error("x") end))}
return getmetatable(KEYS)
return string.rep("x",-1)
return redis.call("ping",{})
return redis.call("ping",nil)
return redis.call("ping",true)
return redis.call("echo",1.5)
return redis.call("echo",0.1)
return redis.call("echo",1e20)
return redis.call("echo",1e15)
return redis.call("echo",1/0)
return redis.call("echo",0/0)
return redis.call("echo",2^53)
return redis.call("echo",2^63)
return redis.call("echo",-2^63)
return redis.call(1)
redis.call("echo",{})
return redis.error_reply(1)
return redis.error_reply()
return redis.error_reply("")
return redis.error_reply("a\nb")
return redis.error_reply("-x")
return redis.error_reply("a b","c")
return redis.status_reply("a\nb")
return redis.status_reply()
return redis.status_reply(1)
return redis.sha1hex("")
return redis.sha1hex(1)
return redis.sha1hex(1,2)
return redis.sha1hex({})
redis.log()
redis.log("x","y")
redis.log(redis.LOG_WARNING)
redis.log(redis.LOG_WARNING,"a",1,{})
return redis.set_repl(9)
return redis.set_repl()
return redis.set_repl("x")
return redis.set_repl(-1)
return redis.replicate_commands()
return redis.setresp()
return redis.setresp("3")
return redis.setresp(3,3)
return redis.setresp(2.5)
return redis.breakpoint()
return redis.debug("x")
return redis.acl_check_cmd("get","x")
return redis.acl_check_cmd("foo")
return redis.acl_check_cmd("get")
return loadstring("x=1")()
return loadstring(string.dump(function() end))
return {loadstring(string.dump(function() end))}
return {loadstring("return (")}
return {load(string.dump)}
return tostring(loadstring("return KEYS")()[1])
return load(function() return nil end)
return 1 2
return select("#",redis.call("get","zz"))
return #ARGV
local f f=function() return f() + 1 end return f()
return {1,2,nil,4}
return {1.7,"x",{ok="fine"},{err="bad"},false,true}
return math.random
return KEYS
return _VERSION
return redis
return (string.rep("x",5,"y"))
return string.format("%d",1.5)
return string.format("%q","a\nb")
return tostring(1e15)
return tostring(0.1)
return 3.99
return -3.99
return 1e20
return 0/0
return -1/0
return true
return false
return nil
return
return "a","b"
return 1,2
return function() end
return coroutine.create(function() end)
return redis.call("set","x","y")
return redis.call("hgetall","nohash")
redis.call("hset","hh","a","b") return redis.call("hgetall","hh")
redis.setresp(3) redis.call("hset","hh","a","b") local r=redis.call("hgetall","hh") return r.map.a
redis.setresp(3) redis.call("hset","hh","a","b") return redis.call("hgetall","hh")
redis.setresp(3) redis.call("zadd","zz","1.5","b") return redis.call("zscore","zz","b")
redis.setresp(3) redis.call("zadd","zz","1.5","b") return tostring(redis.call("zscore","zz","b").double)
redis.setresp(3) return redis.call("get","nonono")
redis.setresp(3) return type(redis.call("get","nonono"))
redis.setresp(3) return {true,false}
return redis.call("xrange","nox","-","+")
return redis.call("multi")
return redis.call("eval","return 1",0)
return redis.call("blpop","nolist",0)
return redis.call("publish","a","b")
return redis.call("config","get","port")
return redis.call("select",3)
return redis.call("client")
return redis.call("client","foo")
return redis.call("get","a","b")
return redis.call("function","list")
return redis.call("script","exists","a")
return redis.call("spop","nokey",3)
return redis.call("wait",0,0)
return redis.call("flushall")
return redis.call("randomkey")
return redis.call("object","encoding",KEYS[1])
return redis.call("dbsize")
return redis.call("auth","x")
return redis.call("hello")
return redis.call("subscribe","a")
return redis.call("watch","a")
return redis.call("lpush",KEYS[1],1)
return redis.call("GET")
return redis.call("")
return redis.call("a b")
return string.x
return string.x.y
local x = nil; x.y=1
local x = nil; x()
return foo.bar
foo=1
local t = setmetatable({},{__index=function(t,k) return k end}) return {t.err, t.ok, t[1]}
return setmetatable({},{__index=function(t,k) return k end})
return #{n=3}
return table.getn({1,2})
return table.setn({},1)
return string.gfind("a","b")
for k,v in pairs(string) do if k=="rep" then return "yes" end end
return next(string) ~= nil
return rawget(string,"rep") == string.rep
return rawequal(string,string)
return rawget(_G,"foo")
return _G.foo
return _G._G == _G
return tostring(_G):sub(1,6)
return getmetatable(_G).__index ~= nil
local t={} for k,v in pairs(getmetatable(_G)) do t[#t+1]=k..type(v) end return t
local t={} for k,v in pairs(getmetatable("")) do t[#t+1]=k..type(v) end return t
getmetatable(_G).__index=nil
getmetatable("").__index={}
rawset(_G,"a",1)
rawset(string,"a",1)
setmetatable(_G,{})
setmetatable(string,{})
table.insert(_G,1)
table.insert(string,1)
table.remove(string,1)
table.sort(string)
string.x=1
redis.call=1
redis.x=1
KEYS=1
KEYS[1]=2 return KEYS
table.foreach({1,2},function(i,v) redis.call("ping") end)
return table.concat({1,2,{}})
return table.concat({1,2,3},",",2,3)
return ("x"):rep(3)
return ("x"):bad()
return ("x"):rep()
return ("x"):rep({})
return string.rep()
return string.find("a",{})
return string.find()
return ("x"):find()
return {string.find("hello world","o w")}
return {string.find("hello","l+")}
return string.gsub("hello","l","L")
return string.gsub("hello","l",{l="x"})
return string.gsub("hello","l",function() return false end)
return string.gsub("hello","(l)(","x")
return string.find("a","[a")
return string.find("a","%")
return string.match("key = value","(%w+) = (%w+)")
return {string.match("key = value","()(%w+)()")}
return unpack({1,2,3})
return {unpack({},1,8000)}
return {unpack({},1,7000)}
return string.byte("a",1,-1)
return tostring(nil)
return tonumber("0x10")
return tonumber("z",36)
return math.floor(3.7)
return math.huge
return collectgarbage("bogus")
return assert(false)
return assert(false,"msg")
return assert(nil,{err="A b"})
return assert(1,2)
local ok,e = pcall(assert,false,{err="A b"}) return type(e)
local a, b = redis.call('set', KEYS[1], 'v'), redis.call('get', KEYS[1]) return {a, b, a.ok}
return {redis.call('set', KEYS[1], 1, 'nx'), redis.call('set', KEYS[1], 1, 'nx')}
local r = redis.call('lpush', KEYS[1], 1, 2, 3) return {r, redis.call('lrange', KEYS[1], 0, -1), redis.call('lpop', KEYS[1], 2)}
redis.call('zadd', KEYS[1], 1, 'a', 2.5, 'b') return redis.call('zrange', KEYS[1], 0, -1, 'withscores')
redis.call('zadd', KEYS[1], 1, 'a', 2.5, 'b') redis.setresp(3) return redis.call('zrange', KEYS[1], 0, -1, 'withscores')
redis.call('zadd', KEYS[1], 1, 'a') redis.setresp(3) return redis.call('zpopmin', KEYS[1])
redis.call('zadd', KEYS[1], 1, 'a') redis.setresp(3) return redis.call('zpopmin', KEYS[1], 1)
redis.call('xadd', KEYS[1], '1-1', 'f', 'v') return redis.call('xrange', KEYS[1], '-', '+')
redis.call('xadd', KEYS[1], '1-1', 'f', 'v') return redis.call('xread', 'streams', KEYS[1], 0)
redis.call('xadd', KEYS[1], '1-1', 'f', 'v') redis.setresp(3) return redis.call('xread', 'streams', KEYS[1], 0)
redis.call('xadd', KEYS[1], '1-1', 'f', 'v') redis.call('xgroup', 'create', KEYS[1], 'g', 0) return redis.call('xreadgroup', 'group', 'g', 'c', 'streams', KEYS[1], '>')
redis.call('geoadd', KEYS[1], 13.361389, 38.115556, 'p') return redis.call('geopos', KEYS[1], 'p', 'none')
redis.call('geoadd', KEYS[1], 13.361389, 38.115556, 'p') redis.setresp(3) return type(redis.call('geopos', KEYS[1], 'p')[1][1].double)
redis.call('pfadd', KEYS[1], 'a', 'b') return redis.call('pfcount', KEYS[1])
redis.call('setbit', KEYS[1], 7, 1) return {redis.call('bitcount', KEYS[1]), redis.call('bitpos', KEYS[1], 1), redis.call('getbit', KEYS[1], 7)}
return redis.call('bitfield', KEYS[1], 'incrby', 'u8', 0, 200, 'overflow', 'fail', 'incrby', 'u8', 0, 200)
return redis.call('incrbyfloat', KEYS[1], 0.1)
return {redis.call('incrbyfloat', KEYS[1], '3.0'), redis.call('append', KEYS[1], 'x'), redis.call('strlen', KEYS[1])}
redis.call('hset', KEYS[1], 'f', 1) return {redis.call('hincrby', KEYS[1], 'f', 5), redis.call('hincrbyfloat', KEYS[1], 'f', 0.5), redis.call('hmget', KEYS[1], 'f', 'g')}
redis.call('sadd', KEYS[1], 1) return {redis.call('sismember', KEYS[1], 1), redis.call('smismember', KEYS[1], 1, 2), redis.call('smembers', KEYS[1]), redis.call('scard', KEYS[1])}
return {redis.call('exists', KEYS[1]), redis.call('type', KEYS[1]), redis.call('ttl', KEYS[1]), redis.call('del', KEYS[1])}
redis.call('set', KEYS[1], 'v', 'ex', 100) return {redis.call('ttl', KEYS[1]), redis.call('persist', KEYS[1]), redis.call('expire', KEYS[1], -1), redis.call('exists', KEYS[1])}
redis.call('rpush', KEYS[1], 3, 1, 2) return redis.call('sort', KEYS[1], 'desc')
return redis.call('blpop', KEYS[1], 0)
return redis.call('blmove', KEYS[1], 'x', 'left', 'left', 0)
return redis.call('bzpopmin', KEYS[1], 0)
redis.call('set', KEYS[1], 'abc') return {redis.call('getrange', KEYS[1], 1, 1), redis.call('setrange', KEYS[1], 5, 'x'), redis.call('get', KEYS[1])}
return redis.call('mset', KEYS[1], 1, 'other', 2)
return {redis.call('mget', KEYS[1], 'none'), redis.call('getdel', KEYS[1]), redis.call('getset', KEYS[1], 'n')}
return redis.call('lcs', KEYS[1], 'none')
redis.call('mset', 'la', 'ohmytext', 'lb', 'mynewtext') return redis.call('lcs', 'la', 'lb', 'idx')
redis.call('mset', 'la', 'ohmytext', 'lb', 'mynewtext') redis.setresp(3) return redis.call('lcs', 'la', 'lb', 'idx').map.len
return redis.call('lmpop', 1, KEYS[1], 'left')
redis.call('rpush', KEYS[1], 1, 2) return redis.call('lmpop', 1, KEYS[1], 'left', 'count', 2)
redis.call('zadd', KEYS[1], 1, 'a') return redis.call('zmpop', 1, KEYS[1], 'min')
redis.call('zadd', KEYS[1], 1, 'a') redis.setresp(3) return redis.call('zmpop', 1, KEYS[1], 'min')
redis.call('zadd', KEYS[1], 1.5, 'a') return {redis.call('zscore', KEYS[1], 'a'), redis.call('zincrby', KEYS[1], 1, 'a'), redis.call('zrank', KEYS[1], 'a'), redis.call('zadd', KEYS[1], 'incr', 1, 'b')}
redis.call('zadd', KEYS[1], '-inf', 'a', '+inf', 'b') return redis.call('zrange', KEYS[1], 0, -1, 'withscores')
redis.call('zadd', KEYS[1], '-inf', 'a') redis.setresp(3) return redis.call('zscore', KEYS[1], 'a')
redis.call('zadd', KEYS[1], '-inf', 'a') redis.setresp(3) return redis.call('zscore', KEYS[1], 'a').double < -1e308
return redis.call('scan', 0, 'match', 'none*')[2]
return redis.call('object', 'encoding', KEYS[1])
redis.call('set', KEYS[1], 5) return redis.call('object', 'encoding', KEYS[1])
return redis.call('rename', 'none', 'x')
return redis.pcall('rename', 'none', 'x')
return redis.call('restore', KEYS[1], 0, 'x')
return redis.call('copy', KEYS[1], 'x')
redis.call('set', KEYS[1], 'v') return {redis.call('copy', KEYS[1], 'x', 'replace'), redis.call('rename', 'x', 'y'), redis.call('randomkey') ~= false}
return redis.call('config', 'get', 'maxmemory')
return redis.call('flushdb')
return redis.call('ping', 'x')
return redis.call('echo', ARGV[1])
return redis.call('lolwut', 'version', 5, 1) ~= ''
return redis.call('getex', KEYS[1])
return redis.call('setex', KEYS[1], 0, 'v')
return redis.call('setex', KEYS[1], 'x', 'v')
return redis.call('set', KEYS[1], 'v', 'bogus')
return redis.call('incrby', KEYS[1], 'x')
return redis.call('hset', KEYS[1], 'f')
return redis.call('zadd', KEYS[1], 'x', 'y')
redis.call('set', KEYS[1], 'v') return redis.call('lpush', KEYS[1], 'x')
redis.call('set', KEYS[1], 'v') return {redis.pcall('lpush', KEYS[1], 'x'), 'after'}
redis.call('set', KEYS[1], 'v') local ok, e = pcall(redis.call, 'lpush', KEYS[1], 'x') return {tostring(ok), e}
redis.call('set', KEYS[1], 'v') local ok, e = pcall(redis.call, 'lpush', KEYS[1], 'x') error(e)
redis.call('set', KEYS[1], 'v') local e = redis.pcall('lpush', KEYS[1], 'x') error(e)
redis.call('set', KEYS[1], 'v') local e = redis.pcall('lpush', KEYS[1], 'x') return e
redis.call('set', KEYS[1], 'v') local e = redis.pcall('lpush', KEYS[1], 'x') e.err = 'OTHER thing' return e
local rcall = redis.call return rcall('nosuch')
local rcall = redis.call local function f() return rcall('nosuch') end return f()
return (function() return redis.call('nosuch') end)()
local t = setmetatable({}, {__index = function(t, k) error('no ' .. k) end}) return t.x
local t = setmetatable({}, {__call = function(self, x) return x end}) return t('called')
local t = setmetatable({}, {__tostring = function() return 'shown' end}) return tostring(t)
local t = setmetatable({}, {__len = function() return 5 end}) return #t
local t = setmetatable({}, {__concat = function() return 'joined' end}) return t .. 'x'
local t = setmetatable({}, {__eq = function() return true end}) return t == t
local t = setmetatable({}, {__metatable = 'locked'}) return getmetatable(t)
local t = setmetatable({}, {__metatable = 'locked'}) setmetatable(t, {})
return pcall(setmetatable, {}, 1)
return {pcall(rawset, {}, nil, 1)}
return {pcall(next, {}, 'nokey')}
return {pcall(ipairs)}
return {pcall(pairs)}
return {pcall(pairs, nil)}
return pairs()
return pairs(nil)
return ipairs('x')
return next({}, 1)
return rawget('x', 1)
return rawset({}, 1)
return setmetatable(1, {})
return getmetatable('x').__index == string
return table.insert({}, 1, 2, 3)
return table.insert({}, 'x', 2)
return table.insert({})
return table.insert(nil, 1)
return table.remove({1, 2, 3}, 1)
return table.remove({1, 2, 3})
return table.remove({})
return table.remove(nil)
local t = {3, 1, 2} table.sort(t) return t
local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return t
local t = {3, 'x', 2} table.sort(t) return t
local t = {3, 1, 2} table.sort(t, function(a, b) error('cannot') end) return t
local t = {3, 1, 2} table.sort(t, 1) return t
table.sort(1)
local t = {1, 2, 3, 4, 5} table.sort(t, function() return true end) return #t
local s = 0 table.foreach({1, 2}, function(k, v) s = s + v end) return s
return table.maxn({1, 2, [10] = 3})
return table.concat({}, ',')
return table.concat({1, 2}, nil)
return table.concat({1, 2}, {})
return string.rep('ab', 3)
return string.rep('x', 0)
return string.rep('x', 2.9)
return string.rep(5, 2)
return string.rep('x', '3')
return ('x'):rep()
return string.upper('abc') .. ('ABC'):lower() .. ('abc'):reverse()
return string.upper()
return ('x').upper()
return string.byte('abc', 2)
return string.char(65, 66)
return string.char(256)
return string.format('%5.2f|%d|%s|%q|%x|%c|%i|%g', 3.14159, 42, 'hi', 'q"', 255, 65, 7, 1e20)
return string.format('%s')
return string.format('%d', 'x')
return string.format('%y', 1)
return {string.find('abc', 'b', 1, true)}
return {string.find('abc', 'b', -1)}
return {string.find('a.c', '.', 1, true)}
return {string.find('abc', '(b)(c)')}
return {string.find('', '')}
return {string.find('abc', '', 10)}
return {string.find('abc', 'c', 'x')}
return string.find('abc')
return ('abc'):find({})
return {string.match('2024-01-02', '(%d+)-(%d+)-(%d+)')}
return {string.match('abc', '()b()')}
return string.match('abc', 'x')
return string.match('abc', '^b')
return string.match('  trim  ', '^%s*(.-)%s*$')
return {string.match('[[x]]', '%[(%b[])%]')}
return string.match('THE (quick) fox', '%f[%a]%a+%f[%A]')
return string.match('abab', '(ab)%1')
return string.match('abc', '(')
return string.match('abc', '(()')
return string.match('abc', '%1')
return string.match('abc', '%')
return string.match('abc', '%f')
return string.match('abc', '%b')
local t = {} for w in ('one two three'):gmatch('%a+') do t[#t + 1] = w end return t
local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end return t
local t = {} for w in ('abc'):gmatch('') do t[#t + 1] = 'x' end return t
local t = {} for w in ('^a^b'):gmatch('^') do t[#t + 1] = 'x' end return t
return string.gmatch()
return {string.gsub('hello world', 'o', '0', 1)}
return {string.gsub('hello', '', '-')}
return {string.gsub('hello', '(l)(l)', '%2%1%0%%')}
return {string.gsub('hello', 'l', '%9')}
return {string.gsub('hello', 'l', {l = 1})}
return {string.gsub('hello', '.', {h = 'H', e = false})}
return {string.gsub('hello', 'l', function(c) return c:upper() end)}
return {string.gsub('hello', 'l', function(c) error('in callback') end)}
return {string.gsub('hello', 'l', function(c) return {} end)}
return {string.gsub('hello', 'l', true)}
return {string.gsub('hello', 'l')}
return {string.gsub('hello', '^l', 'x')}
return {string.gsub('abc', '%w', '%%%0')}
return string.len()
return string.dump(1)
return tostring()
return tonumber()
return tonumber('10', 2)
return tonumber('0x1p4')
return tonumber('1e2')
return tonumber(' 5 ')
return tonumber('')
return tonumber('z')
return tonumber('7', 99)
return unpack()
return select(0)
return select(-1, 1, 2)
return select('x')
return math.max()
return math.floor('x')
return math.fmod(5, 3)
return math.modf(3.7)
return {math.abs(-1), math.ceil(1.2), math.sqrt(16), math.pow(2, 3), math.min(1, 2)}
return math.random(0)
return math.random(5, 1)
return {xpcall(function() error('x') end, function(e) return 'handled ' .. e end)}
return {xpcall(function() error({1}) end, function(e) return type(e) end)}
return {xpcall(function() return 1, 2 end, function() end)}
return {pcall(function() return 1, 2 end)}
return pcall()
return {pcall(1)}
return xpcall()
return xpcall(1)
return {pcall(error)}
return {pcall(error, nil)}
return {pcall(error, {err = 'E x'})}
return {pcall(error, 'x', 0)}
return {pcall(error, 'x', 1)}
return {pcall(error, 'x', 2)}
return coroutine.create(1)
return coroutine.resume(1)
return coroutine.wrap(1)
return coroutine.status(coroutine.create(function() end))
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return {select(2, coroutine.resume(co, 1)), select(2, coroutine.resume(co, 5)), select(2, coroutine.resume(co))}
local co = coroutine.wrap(function() error({err = 'C x'}) end) return co()
local co = coroutine.wrap(function() return 1 end) co() return co()
return coroutine.yield(1)
return coroutine.running()
return loadstring(5)
return {loadstring('x', 'name')}
return loadstring('error("in text")', '=named')()
return loadstring('error("in text")', '@named')()
return load(5)
return load(function() error('in reader') end)
return {load(function() error('in reader') end)}
local n = 0 return load(function() n = n + 1 return ({'return ', '4', '2'})[n] end)()
return gcinfo() > 0
return collectgarbage('count') > 0
return collectgarbage()
return collectgarbage({})
for i = 1, 3 do local x = i end return x
goto done
local x <const> = 1
return 1 // 2
return 0x10 + 1e1 + .5
return 'a' < 'b'
return 'a' < 1
return {} < {}
return 1 .. 2
return 1 .. {}
return -{}
return #5
return not nil
local t = {} t[nil] = 1
local t = {} t[0/0] = 1
local t = nil return t.x.y
return a.b
a.b = 1
return ('x').y.z
for i = 'a', 2 do end
for i = 1, 2, 0 do return i end
local function f(...) return select('#', ...) end return f(nil, nil)
return ({...})[1]
return {n = 1, 1, 2, [5] = 3}
return {{1, {2, {3}}}, {ok = 'x'}, {err = 'y z'}}
return {{ok = 'a', err = 'E both'}}
return {ok = 'a', map = {a = 1}}
return {double = 1/0}
return {double = -1/0}
return {double = 1e100}
return {map = {}}
return {set = {}}
return {map = {a = {map = {b = {1, 2}}}}}
return {big_number = '1\r\n2'}
return {verbatim_string = {string = 'x', format = 'toolong'}}
return {verbatim_string = {string = 'x', format = 'a'}}
return {verbatim_string = {}}
redis.setresp(3) return {map = {a = true}}
redis.setresp(3) return {true, nil, false}
redis.setresp(3) return false
redis.setresp(2) return true
redis.setresp(1)
return redis.setresp('x')
return redis.REPL_ALL .. redis.LOG_WARNING
return redis.nosuch
return redis.nosuch()
return redis:call('ping')
return redis.call('get', KEYS[1], {})
return redis.call({}, 'x')
return redis.call(nil)
return redis.call(true)
return redis.call('set', KEYS[1], 1.5) and redis.call('get', KEYS[1])
return redis.call('set', KEYS[1], 1e17) and redis.call('get', KEYS[1])
return redis.call('set', KEYS[1], 123456789012345678) and redis.call('get', KEYS[1])
return redis.sha1hex('abc')
return redis.sha1hex(1.5)
return redis.sha1hex(nil)
return redis.status_reply('FINE')
return redis.status_reply('a', 'b')
return redis.error_reply('CODE text')
return redis.error_reply('-CODE text')
return redis.error_reply('- text')
return redis.error_reply('text\r\n')
return {redis.error_reply('CODE text'), redis.status_reply('s')}
redis.log(redis.LOG_DEBUG, 'quiet')
redis.log(99, 'x')
redis.log(-1, 'x')
return redis.acl_check_cmd('set', 'k', 'v')
return redis.acl_check_cmd('config|get', 'x')
return redis.acl_check_cmd('config', 'get', 'x')
