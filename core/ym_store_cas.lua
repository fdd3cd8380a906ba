
-- SPDX-License-Identifier: Apache-2.0
-- Applications that signed a person in with a ticket. The contract is ym_store_cas.h; what ends a
-- session (ym_store_session.lua) moves its list to those that are to be told.
do

local USES_MAX = 1000
local TRIES_MAX = 9       -- one digit
local LATER_MAX = 10000   -- applications that are to be told again

-- The session's value and its end, or nil.
local function alive(p, digest)
    local h = redis.pcall('HMGET', p .. ':se:' .. digest, 'v', 'e')
    local ends = not h.err and h[1] and tonumber(h[2])
    if not ends or wall() >= ends then
        return nil
    end
    return h[1], ends
end

local function cas_use(p, a)
    local digest, most = a[1], integer(a[3], 1, USES_MAX, 'most')
    if not digest or #digest ~= 64 or find(digest, '[^0-9a-f]') then
        fail('bad digest of session')
    end
    local value, ends = alive(p, digest)
    if not value then
        return nil
    end
    if a[2] ~= '' then
        local key = p .. ':sc:' .. digest
        call('RPUSH', key, a[2])
        call('LTRIM', key, -most, -1)
        call('PEXPIRE', key, ends - wall() + DAY)
    end
    return { value }
end

-- An entry is as it was kept the first time, and has the number of the try before it later.
local function again(entry)
    local n = match(entry, '^[2-9]')
    if n then
        return tonumber(n), sub(entry, 2)
    end
    return 1, entry
end

-- What goes out is put off at once for the next time: who asked may die before the application has
-- heard. Those of before get half of the room, so that one that is away stays in nobody's way.
local function cas_ended(p, a)
    local most, tries = integer(a[1], 1, USES_MAX, 'most'), integer(a[2] or '1', 1, TRIES_MAX, 'tries')
    local grace, pause = integer(a[3] or '0', 0, DAY, 'grace'), integer(a[4] or '0', 0, DAY, 'pause')
    local later, now = p .. ':slr', wall()
    local out = call('ZRANGEBYSCORE', later, '-inf', text(now), 'LIMIT', 0, floor((most + 1) / 2))
    if #out > 0 then
        call('ZREM', later, unpack(out))
    end
    if #out < most then
        for _, entry in ipairs(call('LPOP', p .. ':slo', most - #out) or {}) do
            out[#out + 1] = entry
        end
    end
    local off = 0
    for _, entry in ipairs(out) do
        local n, body = again(entry)
        if n < tries then
            call('ZADD', later, text(now + grace + pause * 6 ^ (n - 1)), text(n + 1) .. body)
            off = off + 1
        end
    end
    if off > 0 then
        call('ZREMRANGEBYRANK', later, 0, -LATER_MAX - 1)
        call('PEXPIRE', later, DAY)
    end
    return out
end

local function cas_told(p, a)
    local n, body = again(a[1] or '')
    call('ZREM', p .. ':slr', text(n + 1) .. body)
    return { 'told' }
end

register('ym_cas_use', {}, cas_use)
register('ym_cas_ended', { 'allow-oom' }, cas_ended)
register('ym_cas_told', { 'allow-oom' }, cas_told)

end
