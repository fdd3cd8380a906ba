
-- SPDX-License-Identifier: Apache-2.0
-- What people entered for old applications, and the cookies those gave: all of it sealed before it
-- comes here. The contract is ym_store_vault.h.
do

local ENTRIES_MAX = 200        -- fields of one person's vault: three of each system
local COOKIES_MAX = 64
local LIFE_MAX = 30 * DAY

local function check_person(s)
    if not s or #s ~= 64 or find(s, '[^0-9a-f]') then
        fail('bad digest of person')
    end
    return s
end

local function vault_of(p, a)
    return p .. ':va:' .. check_person(a[1]), check_system(a[2])
end

local function jar_of(p, a)
    return p .. ':vj:' .. check_person(a[1]) .. ':' .. check_system(a[2])
end

local function vault_set(p, a)
    local key, system = vault_of(p, a)
    if not a[3] or a[3] == '' then
        fail('no value')
    end
    if call('HLEN', key) >= ENTRIES_MAX and call('HEXISTS', key, system) == 0 then
        return { 'full' }
    end
    local now = text(wall())
    call('HSET', key, system, a[3], system .. ':t', now)
    call('HDEL', key, system .. ':s')
    call('DEL', jar_of(p, a))
    return { 'kept', now }
end

local function vault_drop(p, a)
    local key, system = vault_of(p, a)
    local gone = call('HDEL', key, system)
    call('HDEL', key, system .. ':t', system .. ':s')
    call('DEL', jar_of(p, a))
    return { gone == 1 and 'gone' or 'absent' }
end

local function vault_get(p, a)
    local key, system = vault_of(p, a)
    local h = call('HMGET', key, system, system .. ':t', system .. ':s')
    return h[1] and { h[1], h[2] or '0', h[3] or '' } or nil
end

local function vault_list(p, a)
    local key, out = p .. ':va:' .. check_person(a[1]), {}
    local all, systems = call('HGETALL', key), {}
    for i = 1, #all, 2 do
        systems[all[i]] = all[i + 1]
    end
    for name in pairs(systems) do
        if not find(name, ':', 1, true) then
            out[#out + 1] = { name, systems[name .. ':t'] or '0', systems[name .. ':s'] or '' }
        end
    end
    table.sort(out, function(x, y) return x[1] < y[1] end)
    return out
end

-- The same text under a newer key; whatever came since stays.
local function vault_reseal(p, a)
    local key, system = vault_of(p, a)
    if call('HGET', key, system .. ':t') ~= a[3] or not a[4] or a[4] == '' then
        return { 'other' }
    end
    call('HSET', key, system, a[4])
    return { 'kept' }
end

-- The application refused what was entered at `since`.
local function stale(p, a, since, why)
    local key, system = vault_of(p, a)
    if call('HGET', key, system .. ':t') ~= since then
        return false
    end
    call('HSET', key, system .. ':s', why)
    return true
end

local function vault_stale(p, a)
    return { stale(p, a, a[3], a[4]) and 'stale' or 'other' }
end

-- Cookies -----------------------------------------------------------------------------------------

local function cookies_in(all)
    local out = {}
    for i = 1, #all, 2 do
        if sub(all[i], 1, 2) == 'c:' then
            out[#out + 1] = sub(all[i], 3)
            out[#out + 1] = all[i + 1]
        end
    end
    return out
end

local function store_cookies(key, a, from)
    for i = from, #a, 2 do
        if not a[i + 1] or a[i] == '' then
            fail('a cookie needs key and value')
        end
    end
    for i = from, #a, 2 do
        if a[i + 1] == '' then
            call('HDEL', key, 'c:' .. a[i])
        elseif call('HLEN', key) < COOKIES_MAX + 4 or call('HEXISTS', key, 'c:' .. a[i]) == 1 then
            call('HSET', key, 'c:' .. a[i], a[i + 1])
        end
    end
end

local function jar_open(p, a)
    local key, now = jar_of(p, a), wall()
    local holder = a[3] ~= '' and a[3] or fail('no holder')
    local lease, life = integer(a[4], 1, LIFE_MAX, 'lease'), integer(a[5], 1, LIFE_MAX, 'keep')
    local h = call('HMGET', key, 'g', 'at', 'f', 'u', 'w', 'k')
    if h[1] then
        call('PEXPIRE', key, life)
        return { 'jar', h[1], text(max(now - h[2], 0)), cookies_in(call('HGETALL', key)) }
    elseif h[3] and now < tonumber(h[4]) then
        return { 'wait', text(h[4] - now) }
    elseif h[5] and now < tonumber(h[6]) then
        return { 'held', h[5], text(h[6] - now) }
    end
    local sealed, since = '', '0'
    if a[6] == '1' then
        local entry = vault_get(p, a)
        if not entry then
            return { 'none' }
        elseif entry[3] ~= '' then
            return { 'stale', entry[3] }
        end
        sealed, since = entry[1], entry[2]
    end
    call('DEL', key)
    call('HSET', key, 'f', holder, 'u', text(now + lease))
    call('PEXPIRE', key, lease)
    return { 'go', sealed, since }
end

local function jar_keep(p, a)
    local key, life = jar_of(p, a), integer(a[4], 1, LIFE_MAX, 'keep')
    if call('HGET', key, 'f') ~= a[3] then
        return { 'late' }
    end
    call('DEL', key)
    call('HSET', key, 'g', a[3], 'at', text(wall()))
    store_cookies(key, a, 5)
    call('PEXPIRE', key, life)
    return { 'kept' }
end

local function hold(key, why, ms)
    call('DEL', key)
    call('HSET', key, 'w', why, 'k', text(wall() + ms))
    call('PEXPIRE', key, ms)
end

local function jar_fail(p, a)
    local key, ms = jar_of(p, a), integer(a[5], 1, LIFE_MAX, 'hold')
    if call('HGET', key, 'f') ~= a[3] then
        return { 'late' }
    end
    if a[6] and a[6] ~= '' and stale(p, a, a[6], a[4]) then
        call('DEL', key)
        return { 'stale' }
    end
    hold(key, a[4], ms)
    return { 'held' }
end

local function jar_put(p, a)
    local key, life = jar_of(p, a), integer(a[4], 1, LIFE_MAX, 'keep')
    if call('HGET', key, 'g') ~= a[3] then
        return { 'late' }
    end
    store_cookies(key, a, 5)
    call('PEXPIRE', key, life)
    return { 'kept' }
end

-- An application that ends the session after a refused form may do so just behind the sign-in; one
-- that does it time and again never keeps anybody.
local EARLY = 3

local function jar_forget(p, a)
    local key = jar_of(p, a)
    local young, ms = integer(a[4], 0, LIFE_MAX, 'young'), integer(a[5], 1, LIFE_MAX, 'hold')
    local h = call('HMGET', key, 'g', 'at')
    if h[1] ~= a[3] then
        return { 'late' }
    end
    if wall() - h[2] < young then
        local times = call('INCR', key .. ':y')
        call('PEXPIRE', key .. ':y', ms)
        if times >= EARLY then
            hold(key, a[6] or 'forgets', ms)
            return { 'young' }
        end
    end
    call('DEL', key)
    return { 'gone' }
end

local function jar_end(p, a)
    local out = {}
    for i = 2, #a do
        local key = jar_of(p, { a[1], a[i] })
        local all = call('HGETALL', key)
        if #all > 0 then
            local generation = call('HGET', key, 'g')
            call('DEL', key)
            if generation then
                out[#out + 1] = { a[i], generation, cookies_in(all) }
            end
        end
    end
    return out
end

register('ym_vault_set', {}, vault_set)
register('ym_vault_drop', { 'allow-oom' }, vault_drop)
register('ym_vault_get', { 'no-writes' }, vault_get)
register('ym_vault_list', { 'no-writes' }, vault_list)
register('ym_vault_reseal', {}, vault_reseal)
register('ym_vault_stale', { 'allow-oom' }, vault_stale)
register('ym_jar_open', {}, jar_open)
register('ym_jar_keep', {}, jar_keep)
register('ym_jar_fail', { 'allow-oom' }, jar_fail)
register('ym_jar_put', {}, jar_put)
register('ym_jar_forget', { 'allow-oom' }, jar_forget)
register('ym_jar_end', { 'allow-oom' }, jar_end)

end
