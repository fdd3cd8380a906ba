
-- SPDX-License-Identifier: Apache-2.0
-- Sessions of people. The contract is ym_store_door.h. A session's key lives as long as it may be
-- idle; its absolute end is looked at with every read. A clock that steps back makes nothing younger
-- than it was when it was touched last.
do

local LIFE_MAX = 366 * DAY
local SESSIONS_MAX = 1000      -- of one person
local TOLD_MAX = 10000         -- applications that wait to be told of an end

local function check_digest(s, what)
    if not s or #s ~= 64 or find(s, '[^0-9a-f]') then
        fail('bad digest of ' .. what)
    end
    return s
end

local function key_of(p, digest)
    return p .. ':se:' .. digest
end

-- What there is of a session, or nil: a key of another type is none. now is no earlier than what the
-- session has seen already.
local function read(p, digest)
    local h = redis.pcall('HMGET', key_of(p, digest), 'v', 'p', 's', 'c', 't', 'e')
    if h.err then
        return nil
    end
    local created, touched, ends = tonumber(h[4]), tonumber(h[5]), tonumber(h[6])
    if not h[1] or not h[2] or not created or not touched or not ends then
        return nil
    end
    local s = { value = h[1], person = h[2], sid = h[3] or '', created = created, touched = touched,
        ends = ends, now = max(wall(), touched, created) }
    return s.now < ends and s or nil
end

-- Applications that know of the session are to be told of its end (ym_store_cas.h).
local function tell(p, digest)
    local key = p .. ':sc:' .. digest
    local list = call('LRANGE', key, 0, -1)
    for _, entry in ipairs(list) do
        call('RPUSH', p .. ':slo', entry)
    end
    if #list > 0 then
        call('DEL', key)
        call('LTRIM', p .. ':slo', -TOLD_MAX, -1)
        call('PEXPIRE', p .. ':slo', DAY)
    end
end

-- Takes every trace of a session away; what is broken goes as well.
local function drop(p, digest)
    tell(p, digest)
    local h = redis.pcall('HMGET', key_of(p, digest), 'p', 's')
    call('DEL', key_of(p, digest), p .. ':sa:' .. digest)
    if h[1] then
        call('ZREM', p .. ':sp:' .. h[1], digest)
    end
    if h[2] and h[2] ~= '' then
        call('SREM', p .. ':si:' .. h[2], digest)
    end
    return h[1]
end

-- Lists live as long as their youngest session can.
local function prolong(key, life)
    if call('PTTL', key) < life then
        call('PEXPIRE', key, life)
    end
end

-- The person's sessions that still are, oldest first; the others leave the list.
local function sessions_of(p, person)
    local key, out = p .. ':sp:' .. person, {}
    for _, digest in ipairs(call('ZRANGE', key, 0, -1)) do
        local s = read(p, digest)
        if s and s.person == person then
            out[#out + 1] = { digest = digest, s = s }
        else
            drop(p, digest)
            call('ZREM', key, digest)
        end
    end
    return out
end

local function session_put(p, a)
    local digest, person = check_digest(a[1], 'session'), check_digest(a[2], 'person')
    local sid = a[3] ~= '' and check_digest(a[3], 'sid') or ''
    local idle, absolute = integer(a[5], 1, LIFE_MAX, 'idle'), integer(a[6], 1, LIFE_MAX, 'absolute')
    local most = integer(a[7], 1, SESSIONS_MAX, 'max')
    if not a[4] or a[4] == '' then
        fail('no value')
    end
    local there = call('HGET', key_of(p, digest), 'c')
    if there then
        return { 'there', there, {} }
    end
    local others, gone, now = sessions_of(p, person), {}, wall()
    for i = 1, #others - most + 1 do
        gone[i] = others[i].digest
        drop(p, gone[i])
    end
    call('HSET', key_of(p, digest), 'v', a[4], 'p', person, 's', sid, 'c', text(now), 't', text(now),
        'e', text(now + absolute))
    call('PEXPIRE', key_of(p, digest), min(idle, absolute))
    call('ZADD', p .. ':sp:' .. person, text(now), digest)
    prolong(p .. ':sp:' .. person, absolute)
    if sid ~= '' then
        call('SADD', p .. ':si:' .. sid, digest)
        prolong(p .. ':si:' .. sid, absolute)
    end
    tally(p, now, 'signin', 1)
    return { 'made', text(now), gone }
end

local function session_get(p, a)
    local digest = check_digest(a[1], 'session')
    local idle, touch = integer(a[2], 1, LIFE_MAX, 'idle'), integer(a[3], 0, LIFE_MAX, 'touch')
    local s = read(p, digest)
    if not s then
        if call('EXISTS', key_of(p, digest)) == 1 then
            drop(p, digest)
        end
        return nil
    end
    local age, left = s.now - s.touched, s.ends - s.now
    if touch > 0 and age >= touch then
        call('HSET', key_of(p, digest), 't', text(s.now))
        call('PEXPIRE', key_of(p, digest), min(idle, left))
        age = 0
    end
    return { s.value, s.person, text(s.created), text(s.ends), text(age), text(left),
        text(max(call('PTTL', key_of(p, digest)), 0)) }
end

-- The first way of a session into an application is counted; that it was there goes with it.
local function session_enter(p, a)
    local digest, application = check_digest(a[1], 'session'), check_system(a[2])
    local s, key = read(p, digest), p .. ':sa:' .. digest
    if not s then
        return { 'absent' }
    elseif call('SADD', key, application) == 0 then
        return { 'there' }
    end
    call('PEXPIRE', key, max(s.ends - s.now, 1))
    tally(p, s.now, 'entry:' .. application, 1)
    return { 'entered' }
end

local function session_set(p, a)
    local digest = check_digest(a[1], 'session')
    if not a[2] or a[2] == '' then
        fail('no value')
    end
    if not read(p, digest) then
        return { 'absent' }
    end
    call('HSET', key_of(p, digest), 'v', a[2])
    return { 'kept' }
end

local function session_end(p, a)
    local person = drop(p, check_digest(a[1], 'session'))
    return person and { 'ended', person } or { 'absent' }
end

local function session_end_person(p, a)
    local person, out = check_digest(a[1], 'person'), {}
    for _, digest in ipairs(call('ZRANGE', p .. ':sp:' .. person, 0, -1)) do
        if digest ~= a[2] then
            out[#out + 1] = digest
            drop(p, digest)
            call('ZREM', p .. ':sp:' .. person, digest)
        end
    end
    return out
end

local function session_end_sid(p, a)
    local sid = check_digest(a[1], 'sid')
    local out = call('SMEMBERS', p .. ':si:' .. sid)
    for _, digest in ipairs(out) do
        drop(p, digest)
    end
    call('DEL', p .. ':si:' .. sid)
    return out
end

local function session_list(p, a)
    local out = {}
    for i, item in ipairs(sessions_of(p, check_digest(a[1], 'person'))) do
        out[i] = { item.digest, item.s.value, text(item.s.created), text(item.s.touched),
            text(item.s.ends) }
    end
    return out
end

register('ym_session_put', {}, session_put)
register('ym_session_get', {}, session_get)
register('ym_session_enter', {}, session_enter)
register('ym_session_set', {}, session_set)
register('ym_session_end', { 'allow-oom' }, session_end)
register('ym_session_end_person', { 'allow-oom' }, session_end_person)
register('ym_session_end_sid', { 'allow-oom' }, session_end_sid)
register('ym_session_list', { 'allow-oom' }, session_list)

end
