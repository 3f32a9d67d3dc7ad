-- `string.format` as Lua 5.1 has it, made of LuaJIT's: which values `%s` takes, what a zero
-- byte ends, how `%q` escapes, and how a number that is none is printed.
--
-- Runs once, with the true globals, and gives the function.

local format, find, sub, gsub, byte, rep = string.format, string.find, string.sub, string.gsub, string.byte, string.rep
local kind_of, choose, concat, number_of, text_of, fail = type, select, table.concat, tonumber, tostring, error

-- Whether LuaJIT's own would do the same.
local function is_plain(pattern, ...)
    if kind_of(pattern) ~= "string" then
        return kind_of(pattern) ~= "nil"
    end
    if find(pattern, "%%[^diouxXeEfgGs%%]") or find(pattern, "%%$") then
        return false
    end
    local _, wanted = gsub(gsub(pattern, "%%%%", ""), "%%", "")
    if wanted > choose("#", ...) then
        return false
    end
    for place = 1, choose("#", ...) do
        local value = choose(place, ...)
        local kind = kind_of(value)
        if kind == "string" then
            if find(value, "%z") then
                return false
            end
        elseif kind ~= "number" or value ~= value then
            return false
        end
    end
    return true
end

-- `level`: how many calls the script is away from the caller.
local function refuse(place, why, level)
    fail("bad argument #" .. place .. " to 'format' (" .. why .. ")", level + 2)
end

-- What stands before the first zero byte: C knows no more of it.
local function cut(text)
    local at = find(text, "%z")
    return at and sub(text, 1, at - 1) or text
end

local function quoted(text)
    text = gsub(text, '[\\"\n]', "\\%0")
    text = gsub(text, "\r", "\\r")
    return '"' .. gsub(text, "%z", "\\000") .. '"'
end

-- One value; `shape` is the flags, the width and the precision.
local function one(shape, option, place, value)
    local kind = kind_of(value)
    if option == "s" or option == "q" then
        if kind == "number" then
            value = text_of(value)
        elseif kind ~= "string" then
            refuse(place, "string expected, got " .. kind, 3)
        end
        if option == "q" then
            return quoted(value)
        end
        if #value >= 100 and not find(shape, ".", 1, true) then
            return value
        end
        return format("%" .. shape .. "s", cut(value))
    end
    local number = number_of(value)
    if kind ~= "number" and (kind ~= "string" or not number) then
        refuse(place, "number expected, got " .. kind, 3)
    end
    if option == "c" then
        return cut(format("%" .. shape .. "c", number))
    end
    if number ~= number and find(option, "[eEfgG]") then
        local side = find(shape, "-", 1, true) and "-" or ""
        shape = side .. gsub(shape, "^[-+ #0]*(%d*).*", "%1")
        return format("%" .. shape .. "s", find(option, "[EG]") and "-NAN" or "-nan")
    end
    return format("%" .. shape .. option, number)
end

local function slow(count, pattern, ...)
    local parts, at, place = {}, 1, 1
    while true do
        local found = find(pattern, "%", at, true)
        if not found then
            parts[#parts + 1] = sub(pattern, at)
            return concat(parts)
        end
        parts[#parts + 1] = sub(pattern, at, found - 1)
        if sub(pattern, found + 1, found + 1) == "%" then
            parts[#parts + 1], at = "%", found + 2
        else
            place = place + 1
            if place > count then
                refuse(place, "no value", 2)
            end
            local _, last = find(pattern, "^[-+ #0]*", found + 1)
            if last - found > 5 then
                fail("invalid format (repeated flags)", 3)
            end
            local _, shaped = find(pattern, "^%d?%d?%.?", last + 1)
            if sub(pattern, shaped, shaped) == "." then
                _, shaped = find(pattern, "^%d?%d?", shaped + 1)
            end
            if find(pattern, "^%d", shaped + 1) then
                fail("invalid format (width or precision too long)", 3)
            end
            local option = sub(pattern, shaped + 1, shaped + 1)
            if not find(option, "^[cdiouxXeEfgGqs]$") then
                fail("invalid option '%" .. cut(option) .. "' to 'format'", 3)
            end
            local shape = sub(pattern, found + 1, shaped)
            parts[#parts + 1] = one(shape, option, place, (choose(place - 1, ...)))
            at = shaped + 2
        end
    end
end

return function(...)
    if choose("#", ...) == 0 or is_plain(...) then
        return format(...)
    end
    local pattern = ...
    if kind_of(pattern) ~= "string" then
        return format(...)
    end
    local text = slow(choose("#", ...), ...)
    return text
end
