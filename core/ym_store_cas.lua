
-- SPDX-License-Identifier: Apache-2.0
-- Applications that signed a person in with a ticket. The contract is ym_store_cas.h; what ends a
-- session (ym_store_session.lua) moves its list to those that are to be told.
do

local USES_MAX = 1000

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

local function cas_ended(p, a)
    return call('LPOP', p .. ':slo', integer(a[1], 1, USES_MAX, 'most')) or {}
end

register('ym_cas_use', {}, cas_use)
register('ym_cas_ended', { 'allow-oom' }, cas_ended)

end
