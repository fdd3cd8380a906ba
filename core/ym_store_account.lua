
-- SPDX-License-Identifier: Apache-2.0
-- Local accounts, and attempts to sign in. The contract is ym_store_account.h. Nothing here can be
-- read as a name: names are keyed digests, and what is known of a person is sealed.
do

local DEVICES_MAX = 10
local DEVICE_MS = 180 * DAY
local QUIET_MS = DAY           -- without any try for so long, the count begins anew
local NAMES_MAX = 8

local function check_digest(s)
    if not s or #s ~= 64 or find(s, '[^0-9a-f]') then
        fail('bad digest')
    end
    return s
end

-- Accounts ------------------------------------------------------------------------------------------

local function account(p, id)
    local h = call('HMGET', p .. ':ac:' .. id, 'r', 'd', 'v', 'c')
    return h[1] and { id, h[1], h[2], h[3], h[4] } or nil
end

local function account_get(p, a)
    return account(p, check_id(a[1]))
end

local function account_find(p, a)
    local id = call('GET', p .. ':an:' .. check_digest(a[1]))
    return id and account(p, id) or nil
end

-- The names an account has now; 64 characters each in one field.
local function names_of(p, id)
    local held, out = call('HGET', p .. ':ac:' .. id, 'n') or '', {}
    for digest in gmatch(held, '%x+') do
        out[#out + 1] = digest
    end
    return out
end

local function account_put(p, a)
    local id, expected = check_id(a[1]), integer(a[2], 0, 9007199254740991, 'version')
    local disabled, sealed = a[3] == '1' and '1' or '0', a[4]
    local n = integer(a[5], 1, NAMES_MAX, 'number of names')
    if not sealed or sealed == '' or #a ~= 5 + n then
        fail('bad account')
    end
    local have = tonumber(call('HGET', p .. ':ac:' .. id, 'r') or 0)
    if have ~= expected then
        return { 'stale', text(have) }
    end
    for i = 1, n do
        local owner = call('GET', p .. ':an:' .. check_digest(a[5 + i]))
        if owner and owner ~= id then
            return { 'taken', text(i) }
        end
    end
    for _, digest in ipairs(names_of(p, id)) do
        call('DEL', p .. ':an:' .. digest)
    end
    local list = {}
    for i = 1, n do
        call('SET', p .. ':an:' .. a[5 + i], id)
        list[i] = a[5 + i]
    end
    call('HSET', p .. ':ac:' .. id, 'r', text(have + 1), 'd', disabled, 'v', sealed, 'n',
        table.concat(list, ' '))
    if have == 0 then
        call('HSET', p .. ':ac:' .. id, 'c', text(wall()))
        call('ZADD', p .. ':al', 0, id)
    end
    return { 'ok', text(have + 1) }
end

local function account_list(p, a)
    local from = a[1] == '' and '-' or '(' .. check_id(a[1])
    local out = {}
    for _, id in ipairs(call('ZRANGEBYLEX', p .. ':al', from, '+', 'LIMIT', 0,
        integer(a[2], 1, 1000, 'limit'))) do
        out[#out + 1] = account(p, id)
    end
    return out
end

-- Attempts ------------------------------------------------------------------------------------------

local function wait_of(key, now)
    local left = tonumber(call('HGET', key, 'u') or 0) - now
    return left > 0 and left or nil
end

-- Counted before the password is looked at: however many come at once, only so many are looked at.
local function account_try(p, a)
    local by, who = a[1], a[2]
    local peer, device = check_digest(a[3]), a[4]
    local free, base = integer(a[5], 1, 1000, 'free'), integer(a[6], 1, DAY, 'base')
    local cap, most = integer(a[7], 1, DAY, 'cap'), integer(a[8], 1, 1000000000, 'peer limit')
    local window = integer(a[9], 1, DAY, 'peer window')
    local id
    if by == 'id' then
        id = check_id(who)
    else
        id = call('GET', p .. ':an:' .. check_digest(who))
    end
    local now, key, known = wall(), p .. ':at:' .. (id or who), false
    if id and device ~= '' then
        known = call('ZSCORE', p .. ':dv:' .. id, check_digest(device))
        key = known and key .. ':' .. device or key
    end
    local at = p .. ':ap:' .. peer
    local wait = wait_of(key, now)
    if not wait and not known and tonumber(call('GET', at) or 0) >= most then
        wait = max(call('PTTL', at), 1000)
    end
    if wait then
        call('HINCRBY', key, 'w', 1)
        call('PEXPIRE', key, QUIET_MS)
        return { 'wait', text(wait) }
    end
    local n = call('HINCRBY', key, 'n', 1)
    if n >= free then
        call('HSET', key, 'u', text(now + min(cap, base * 2 ^ min(n - free, 40))))
    end
    call('PEXPIRE', key, QUIET_MS)
    if call('INCR', at) == 1 then
        call('PEXPIRE', at, window)
    end
    local found = id and account(p, id)
    if not found then
        return { 'go', '', '0', '0', '' }
    end
    return { 'go', id, found[2], found[3], found[4] }
end

local function forget_device(p, id, device)
    call('ZREM', p .. ':dv:' .. id, device)
    call('DEL', p .. ':at:' .. id .. ':' .. device)
end

local function account_done(p, a)
    local id, peer, device, new = check_id(a[1]), check_digest(a[2]), a[3], a[4]
    local step, now = integer(a[5], 0, 9007199254740991, 'step'), wall()
    local devices, at = p .. ':dv:' .. id, p .. ':ap:' .. peer
    if step > 0 then
        if step <= tonumber(call('HGET', p .. ':ac:' .. id, 't') or 0) then
            return { 'reused' }
        end
        call('HSET', p .. ':ac:' .. id, 't', text(step))
    end
    call('DEL', p .. ':at:' .. id)
    if device ~= '' then
        call('DEL', p .. ':at:' .. id .. ':' .. check_digest(device))
    end
    if tonumber(call('GET', at) or 0) > 0 then
        call('DECR', at)
    end
    if new ~= '' then
        call('ZADD', devices, now, check_digest(new))
        for _, old in ipairs(call('ZRANGEBYSCORE', devices, '-inf', now - DEVICE_MS)) do
            forget_device(p, id, old)
        end
        for _, old in ipairs(call('ZREVRANGE', devices, DEVICES_MAX, -1)) do
            forget_device(p, id, old)
        end
        call('PEXPIRE', devices, DEVICE_MS)
    end
    return { 'ok' }
end

local function account_unlock(p, a)
    local id = check_id(a[1])
    local devices = call('ZRANGE', p .. ':dv:' .. id, 0, -1)
    for _, device in ipairs(devices) do
        if a[2] == '1' then
            forget_device(p, id, device)
        else
            call('DEL', p .. ':at:' .. id .. ':' .. device)
        end
    end
    call('DEL', p .. ':at:' .. id)
    return { 'ok' }
end

-- A counter over a fixed window, for whoever needs one.
local function try(p, a)
    local kind, digest = a[1], check_digest(a[2])
    local window, most = integer(a[3], 1, DAY, 'window'), integer(a[4], 1, 1000000000, 'limit')
    if not kind or not match(kind, '^[%w_]+$') then
        fail('bad kind')
    end
    local key = p .. ':tr:' .. kind .. ':' .. digest
    local n = call('INCR', key)
    if n == 1 then
        call('PEXPIRE', key, window)
    end
    return { n <= most and '1' or '0', text(n), text(max(call('PTTL', key), 0)) }
end

register('ym_account_get', { 'no-writes' }, account_get)
register('ym_account_find', { 'no-writes' }, account_find)
register('ym_account_list', { 'no-writes' }, account_list)
register('ym_account_put', {}, account_put)
register('ym_account_try', {}, account_try)
register('ym_account_done', {}, account_done)
register('ym_account_unlock', { 'allow-oom' }, account_unlock)
register('ym_try', {}, try)

end
