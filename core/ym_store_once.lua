
-- SPDX-License-Identifier: Apache-2.0
-- One-time things: what may be used once, or must not be seen twice. The contract is ym_store_door.h.
do

local LIFE_MAX = 30 * DAY

local function place(p, a)
    local kind, digest = a[1], a[2]
    if not kind or #kind > 32 or not match(kind, '^[%w_]+$') then
        fail('bad kind')
    end
    if not digest or #digest ~= 64 or find(digest, '[^0-9a-f]') then
        fail('bad digest')
    end
    return p .. ':on:' .. kind .. ':' .. digest
end

local function once_put(p, a)
    local key, life = place(p, a), integer(a[4], 1, LIFE_MAX, 'ttl')
    if not a[3] then
        fail('no value')
    end
    return { call('SET', key, a[3], 'PX', life, 'NX') and 'kept' or 'there' }
end

local function once_take(p, a)
    local value = call('GETDEL', place(p, a))
    return value and { value } or nil
end

local function once_look(p, a)
    local value = call('GET', place(p, a))
    return value and { value } or nil
end

register('ym_once_put', {}, once_put)
register('ym_once_take', { 'allow-oom' }, once_take)
register('ym_once_look', { 'no-writes' }, once_look)

end
