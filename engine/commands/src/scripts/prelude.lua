-- The sandbox of scripts: which names they see, that no table they share can be changed, and
-- that nothing they catch keeps them alive once they are to end.
--
-- Runs once, with the true globals; gets the functions of the host and gives it what it needs
-- to run scripts. A table that scripts share is shown through an empty one whose reads go to
-- the true table behind it, and whose writes are refused.

local native = ...

local raw_pcall, raw_xpcall, raw_error, raw_next, raw_pairs = pcall, xpcall, error, next, pairs
local raw_rawget, raw_rawset, raw_setmetatable, raw_getmetatable = rawget, rawset, setmetatable, getmetatable
local raw_type, raw_tostring, raw_load, raw_select, raw_concat = type, tostring, load, select, table.concat
local raw_resume, raw_floor, raw_char, raw_sub, raw_tonumber = coroutine.resume, math.floor, string.char, string.sub, tonumber
local raw_find, raw_gsub, raw_insert = string.find, string.gsub, table.insert

-- Shared with the host. `dying`: the script is to end, whatever it catches. `many`: see below.
local state = native.state

local READONLY = "Attempt to modify a readonly table"
local behind, views = {}, {}

local function refuse_write()
    raw_error(READONLY, 2)
end

local function protect(real)
    local proxy = {}
    behind[proxy] = real
    return raw_setmetatable(proxy, { __index = real, __newindex = refuse_write })
end

local function missing(_, name)
    raw_error("Script attempted to access nonexistent global variable '" .. raw_tostring(name) .. "'", 2)
end
local missing_names = { __index = missing }

local function raise(text)
    raw_error({ err = text }, 0)
end

-- What the host found wrong, if anything; else its results.
local function checked(ok, ...)
    if ok then
        return ...
    end
    if state.dying then
        raw_error(state, 0)
    end
    local why, is_bare = ...
    raw_error(why, is_bare and 0 or 2)
end

local function hosted(call)
    return function(...)
        return checked(call(...))
    end
end

local function type_name(count, value)
    return count == 0 and "no value" or raw_type(value)
end

local function expect_table(name, count, value)
    if raw_type(value) ~= "table" then
        raw_error("bad argument #1 to '" .. name .. "' (table expected, got " .. type_name(count, value) .. ")", 3)
    end
end

-- ---------------------------------------------------------------- builtins

local function rethrow()
    if state.dying then
        raw_error(state, 0)
    end
end

local function after_pcall(ok, ...)
    if ok then
        return true, ...
    end
    rethrow()
    local caught = (...)
    if raw_type(caught) == "table" then
        -- The text of an error stands for it; what else is there comes behind it.
        local text = caught.err
        if raw_type(text) ~= "string" and raw_type(text) ~= "number" then
            return false, caught, text
        end
        caught = text
    elseif raw_type(caught) == "userdata" and raw_getmetatable(caught) ~= nil then
        -- An error of the host; cjson.null has nothing that tells of it.
        caught = raw_tostring(caught)
    end
    return false, caught
end

local function after(ok, ...)
    if not ok then
        rethrow()
    end
    return ok, ...
end

local base = {
    collectgarbage = collectgarbage, error = error, gcinfo = gcinfo,
    ipairs = ipairs, rawequal = rawequal, select = select, type = type,
    unpack = unpack, _VERSION = _VERSION,
}

base.assert = function(...)
    local value, message = ...
    if value then
        return ...
    end
    if raw_select("#", ...) == 0 then
        raw_error("bad argument #1 to 'assert' (value expected)", 2)
    end
    if message == nil then
        raw_error("assertion failed!", 2)
    end
    if raw_type(message) ~= "string" and raw_type(message) ~= "number" then
        raw_error("bad argument #2 to 'assert' (string expected, got " .. raw_type(message) .. ")", 2)
    end
    raw_error(raw_tostring(message), 2)
end

-- What a collection of garbage may be asked: nothing that turns it off or tunes it.
base.collectgarbage = function(option)
    if option == nil or option == "collect" or option == "count" or option == "step" then
        return collectgarbage(option or "collect")
    end
    return 0
end

base.pcall = function(...)
    if raw_select("#", ...) == 0 then
        raw_error("bad argument #1 to 'pcall' (value expected)", 2)
    end
    return after_pcall(raw_pcall(...))
end

base.xpcall = function(call, handler)
    return after(raw_xpcall(call, function(caught)
        if state.dying then
            return caught
        end
        return handler(caught)
    end))
end

-- C's strtod and strtoul read these: no binary numbers, nothing behind a zero byte, and with a
-- base a negative number wraps around.
base.tonumber = function(...)
    local value, radix = ...
    if raw_type(value) ~= "string" or not raw_find(value, "[%z%-bB]") then
        return raw_tonumber(...)
    end
    if raw_find(value, "%z") then
        value = raw_gsub(value, "%z.*", "")
    end
    if radix == nil or radix == 10 then
        if raw_find(value, "^%s*[-+]?0[bB]") then
            return nil
        end
        return raw_tonumber(value)
    end
    if raw_type(radix) ~= "number" or radix < 2 or radix > 36 then
        return raw_tonumber(...)
    end
    local number = raw_tonumber(value, radix)
    if number and number < 0 then
        return number + 2 ^ 64
    end
    return number
end

base.tostring = function(...)
    if raw_select("#", ...) == 0 then
        raw_error("bad argument #1 to 'tostring' (value expected)", 2)
    end
    local value = ...
    if value ~= value and raw_type(value) == "number" then
        return "-nan"
    end
    return raw_tostring(value)
end

base.pairs = function(...)
    local shared = ...
    expect_table("pairs", raw_select("#", ...), shared)
    local real = behind[shared]
    if real then
        return function(_, key)
            return raw_next(real, key)
        end, shared, nil
    end
    return raw_pairs(shared)
end

base.next = function(...)
    local shared, key = ...
    expect_table("next", raw_select("#", ...), shared)
    return raw_next(behind[shared] or shared, key)
end

base.rawget = function(...)
    local shared, key = ...
    expect_table("rawget", raw_select("#", ...), shared)
    return raw_rawget(behind[shared] or shared, key)
end

base.rawset = function(...)
    local shared, key, value = ...
    expect_table("rawset", raw_select("#", ...), shared)
    if behind[shared] then
        raw_error(READONLY, 0)
    end
    return raw_rawset(shared, key, value)
end

base.setmetatable = function(...)
    local shared, meta = ...
    expect_table("setmetatable", raw_select("#", ...), shared)
    if behind[shared] then
        raw_error(READONLY, 0)
    end
    if meta ~= nil and raw_type(meta) ~= "table" then
        raw_error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
    end
    -- A finalizer would run outside of any script.
    return raw_setmetatable(shared, meta)
end

base.getmetatable = function(...)
    if raw_select("#", ...) == 0 then
        raw_error("bad argument #1 to 'getmetatable' (value expected)", 2)
    end
    local value = ...
    if raw_type(value) == "string" then
        return views[""]
    end
    if raw_type(value) == "table" and behind[value] then
        return views[value]
    end
    if raw_type(value) == "userdata" or raw_type(value) == "function" then
        return nil
    end
    return raw_getmetatable(value)
end

-- Text only: what is made of other bytes is trusted by the machine that runs it.
base.loadstring = function(...)
    local text, name = ...
    if raw_type(text) == "number" then
        text = raw_tostring(text)
    end
    if raw_type(text) ~= "string" then
        raw_error("bad argument #1 to 'loadstring' (string expected, got " .. type_name(raw_select("#", ...), text) .. ")", 2)
    end
    if raw_sub(text, 1, 1) == "\27" then
        return nil, '[string "' .. raw_sub(text, 1, 60) .. "\"]:1: unexpected symbol near 'char(27)'"
    end
    return raw_load(text, name or text, "t", state.environment)
end

base.load = function(...)
    local reader, name = ...
    if raw_type(reader) ~= "function" then
        raw_error("bad argument #1 to 'load' (function expected, got " .. type_name(raw_select("#", ...), reader) .. ")", 2)
    end
    local loaded, why = raw_load(reader, name or "=(load)", "t", state.environment)
    rethrow()
    return loaded, why
end

-- ---------------------------------------------------------------- libraries

local function pick(from, names)
    local picked = {}
    for name in string.gmatch(names, "[%a_][%w_]*") do
        picked[name] = from[name]
    end
    return picked
end

local libraries = {}
libraries.string = pick(string, "byte char dump find gmatch gsub len lower match rep reverse sub upper")
libraries.string.gfind = string.gmatch
libraries.string.format = native.format
libraries.string.rep = function(text, count)
    return string.rep(text, count)
end
libraries.table = pick(table, "concat foreach foreachi getn maxn remove sort")
-- The machine would write to the empty table that stands for a shared one.
libraries.table.insert = function(...)
    local count = raw_select("#", ...)
    if (count == 2 or count == 3) and behind[(...)] then
        raw_error(READONLY, 0)
    end
    return raw_insert(...)
end
libraries.table.setn = function()
    raw_error("'setn' is obsolete", 2)
end
libraries.math = pick(math, "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pi pow rad sin sinh sqrt tan tanh")
libraries.math.mod = math.fmod
libraries.math.random = function(low, high)
    local drawn = native.random()
    if low == nil then
        return drawn
    end
    local first, last = 1, raw_tonumber(low)
    if high ~= nil then
        first, last = last, raw_tonumber(high)
    end
    if first == nil or last == nil then
        raw_error("bad argument #1 to 'random' (number expected, got " .. raw_type(low) .. ")", 2)
    end
    first, last = raw_floor(first), raw_floor(last)
    if first > last then
        raw_error("bad argument #" .. (high == nil and 1 or 2) .. " to 'random' (interval is empty)", 2)
    end
    return raw_floor(drawn * (last - first + 1)) + first
end
libraries.math.randomseed = function(seed)
    native.seed(raw_tonumber(seed) or 0)
end
libraries.coroutine = pick(coroutine, "create running status wrap yield")
libraries.coroutine.resume = function(...)
    return after(raw_resume(...))
end
libraries.os = { clock = os.clock }
libraries.bit = pick(bit, "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex")
-- The least integer has no counterpart to negate it to: the machine would print hundreds of digits.
libraries.bit.tohex = function(...)
    local value, digits = ...
    local count = raw_tonumber(digits)
    if count and count < -8 then
        return bit.tohex(value, -8)
    end
    return bit.tohex(...)
end
for library, functions in raw_pairs(native.libraries) do
    local hosted_functions = {}
    for name, value in raw_pairs(functions) do
        hosted_functions[name] = raw_type(value) == "function" and hosted(value) or value
    end
    libraries[library] = hosted_functions
end
libraries.cjson.new = function()
    local fresh = {}
    for name, value in raw_pairs(native.new_cjson()) do
        fresh[name] = raw_type(value) == "function" and hosted(value) or value
    end
    fresh.new = libraries.cjson.new
    return fresh
end

-- ---------------------------------------------------------------- the server's functions

local function single(...)
    if raw_select("#", ...) == 1 and raw_type((...)) == "string" then
        return (...)
    end
end

local constants = {}
for name, value in raw_pairs(native.constants) do
    constants[name] = value
end

local api = {}

-- The machine takes few thousand arguments of one call; a list, behind this mark, has no such
-- limit.
local ARGUMENTS_MAX = 7000
local many = state.many

-- Runs a command of the script at hand.
local host = native.run_command

local function invoke(...)
    local count = raw_select("#", ...)
    if count > ARGUMENTS_MAX then
        return host(many, { ... }, count)
    end
    return host(...)
end

api.call = function(...)
    local ok, value = invoke(...)
    if ok then
        return value
    end
    rethrow()
    raw_error(value, 0)
end

api.pcall = function(...)
    local _, value = invoke(...)
    rethrow()
    return value
end

api.error_reply = function(...)
    local text = single(...)
    if not text then
        return { err = "ERR wrong number or type of arguments" }
    end
    -- The text of an error ends at a zero byte.
    text = raw_gsub(text, "%z.*", "")
    if raw_sub(text, 1, 1) == "-" then
        text = raw_sub(text, 2)
    end
    text = raw_gsub(text, "[\r\n]+$", "")
    if not raw_find(text, " ", 1, true) then
        text = "ERR " .. text
    end
    return { err = text }
end

api.status_reply = function(...)
    local text = single(...)
    if not text then
        return { err = "ERR wrong number or type of arguments" }
    end
    return { ok = text }
end

api.log = function(...)
    local count = raw_select("#", ...)
    if count < 2 then
        raise("ERR server.log() requires two arguments or more.")
    end
    local level = ...
    if raw_type(level) == "string" then
        level = raw_tonumber(level)
    end
    if raw_type(level) ~= "number" then
        raise("ERR First argument must be a number (log level).")
    end
    -- As C casts it: to the whole number nearer to zero.
    if not (level > -1 and level < 4) then
        raise("ERR Invalid log level.")
    end
    level = level < 0 and 0 or level
    local words = {}
    for index = 2, count do
        local word = raw_select(index, ...)
        local kind = raw_type(word)
        if kind == "string" or kind == "number" then
            words[#words + 1] = word
        end
    end
    native.log(raw_floor(level), raw_concat(words, " "))
end

api.setresp = function(...)
    if raw_select("#", ...) ~= 1 then
        raise("ERR server.setresp() requires one argument.")
    end
    local version = raw_tonumber((...))
    version = version and raw_floor(version)
    if version ~= 2 and version ~= 3 then
        raise("ERR RESP version must be 2 or 3.")
    end
    native.setresp(version)
end

api.sha1hex = function(...)
    if raw_select("#", ...) ~= 1 then
        raise("ERR wrong number of arguments")
    end
    local value = ...
    return native.sha1hex(raw_type(value) == "number" and raw_tostring(value) or value)
end

api.set_repl = function(...)
    if raw_select("#", ...) ~= 1 then
        raise("ERR server.set_repl() requires one argument.")
    end
    local flags = raw_tonumber((...))
    if not flags or flags < 0 or flags > 3 then
        raise("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
    end
end

api.replicate_commands = function()
    return true
end

api.breakpoint = function()
    return false
end

api.debug = function() end

api.acl_check_cmd = function(...)
    if raw_select("#", ...) == 0 then
        raise("ERR Please specify at least one argument for this call")
    end
    local verdict = native.acl_check_cmd(...)
    if raw_type(verdict) == "string" then
        raise(verdict)
    end
    return verdict
end

local function with_constants(functions)
    for name, value in raw_pairs(constants) do
        functions[name] = value
    end
    return functions
end

-- ---------------------------------------------------------------- environments

local function environment(own)
    local names = {}
    for name, value in raw_pairs(base) do
        names[name] = value
    end
    for name, library in raw_pairs(libraries) do
        names[name] = state.libraries[name]
    end
    names.redis, names.server = own, own
    return names
end

state.libraries = {}
for name, library in raw_pairs(libraries) do
    state.libraries[name] = protect(library)
end

local eval_api = protect(with_constants(api))
local eval_names = environment(eval_api)
local eval_globals = protect(eval_names)
eval_names._G = eval_globals
eval_names.__redis__err__handler = function() end
eval_names.__server__err__handler = eval_names.__redis__err__handler
raw_setmetatable(eval_names, missing_names)
views[eval_globals] = protect({ __index = missing })

-- Functions see little while their library is loaded, and all else when they are called.
local function_names_api = with_constants(pick(api, "call pcall error_reply status_reply log setresp sha1hex acl_check_cmd"))
function_names_api.error_reply, function_names_api.status_reply = api.error_reply, api.status_reply
function_names_api.acl_check_cmd, function_names_api.set_repl = api.acl_check_cmd, api.set_repl
local loading_api = with_constants({
    log = api.log,
    register_function = function(...)
        if not state.loading then
            raise("ERR server.register_function can only be called on FUNCTION LOAD command")
        end
        local why = native.register_function(raw_select("#", ...), ...)
        if why then
            raise(why)
        end
    end,
})
raw_setmetatable(loading_api, missing_names)
-- What a library keeps of it shows its functions nothing more.
local library_api = protect(loading_api)
local function_api = protect(function_names_api)
local function_names = environment(function_api)
local function_globals = protect(function_names)
function_names._G = function_globals
raw_setmetatable(function_names, missing_names)
views[function_globals] = protect({ __index = missing })
local loading_names = { redis = library_api, server = library_api }
raw_setmetatable(loading_names, missing_names)
local function_meta = raw_getmetatable(function_globals)

local string_meta = raw_getmetatable("")
string_meta.__index = libraries.string
views[""] = protect({ __index = state.libraries.string })

-- The text of a script gives what another function gives it through this one: see
-- `returns.rs`.
local function values(...)
    return ...
end

local function run_script(call, keys, arguments)
    state.dying, state.environment = false, eval_globals
    raw_rawset(eval_names, "KEYS", keys)
    raw_rawset(eval_names, "ARGV", arguments)
    return raw_xpcall(call, native.handler, values)
end

local function run_function(call, keys, arguments)
    state.dying, state.environment = false, function_globals
    return raw_xpcall(call, native.handler, keys, arguments)
end

return {
    eval_globals = eval_globals,
    function_globals = function_globals,
    run_script = run_script,
    run_function = run_function,
    load_library = function(chunk)
        function_meta.__index, state.loading = loading_names, true
        state.dying, state.environment = false, function_globals
        local ok, result = raw_xpcall(chunk, native.handler, values)
        function_meta.__index, state.loading = function_names, false
        return ok, result
    end,
}
