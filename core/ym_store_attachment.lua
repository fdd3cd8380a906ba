
-- SPDX-License-Identifier: Apache-2.0
-- Attachments: whose they are and which records name them. The contract is ym_store_attachment.h.
do

local RECORDS_MAX = 8
local SURE_MS = 600000         -- a record is accepted this long after it was named, or never

local function check_hex(s)
    if not s or #s ~= 64 or find(s, '[^0-9a-f]') then
        fail('bad digest')
    end
    return s
end

local function key_of(p, id)
    return p .. ':at:' .. check_id(id)
end

local function full(person, bytes, most_count, most_bytes)
    local h = call('HMGET', person, 'n', 'z')
    return tonumber(h[1] or 0) + 1 > most_count or tonumber(h[2] or 0) + bytes > most_bytes
end

local function attachment_room(p, a)
    local person = p .. ':ap:' .. check_hex(a[1])
    local bytes = integer(a[2], 0, 2 ^ 40, 'bytes')
    return { full(person, bytes, integer(a[3], 1, 2 ^ 40, 'count'), integer(a[4], 1, 2 ^ 40, 'bytes'))
        and 'full' or 'ok' }
end

local function attachment_put(p, a)
    local key, person, digest = key_of(p, a[1]), p .. ':ap:' .. check_hex(a[2]), check_hex(a[4])
    local bytes = integer(a[5], 0, 2 ^ 40, 'bytes')
    local most, most_bytes = integer(a[6], 1, 2 ^ 40, 'count'), integer(a[7], 1, 2 ^ 40, 'bytes')
    if a[3] == '' then
        fail('no description')
    end
    local other = call('HGET', person, 'd:' .. digest)
    local sealed = other and call('HGET', p .. ':at:' .. other, 'm')
    if sealed then
        return { other == a[1] and 'kept' or 'again', other, sealed }
    elseif full(person, bytes, most, most_bytes) then
        return { 'full' }
    end
    call('HSET', key, 'm', a[3], 'p', a[2], 'd', digest, 'z', text(bytes), 'c', text(wall()))
    call('HINCRBY', person, 'n', 1)
    call('HINCRBY', person, 'z', bytes)
    call('HSET', person, 'd:' .. digest, a[1])
    return { 'kept', a[1], a[3] }
end

local function records_of(all)
    local out = {}
    for i = 1, #all, 2 do
        if sub(all[i], 1, 2) == 'r:' then
            out[#out + 1] = sub(all[i], 3)
            out[#out + 1] = all[i + 1]
        end
    end
    return out
end

local function attachment_get(p, a)
    local key = key_of(p, a[1])
    local h = call('HMGET', key, 'p', 'm', 'c')
    if not h[1] then
        return nil
    end
    local out, records = { h[1], h[2], h[3] }, records_of(call('HGETALL', key))
    for i = 1, #records, 2 do
        out[#out + 1] = records[i]
    end
    return out
end

-- What no record names counts against its uploader.
local function free(p, key, by)
    local h = call('HMGET', key, 'p', 'z')
    local person = p .. ':ap:' .. h[1]
    call('HINCRBY', person, 'n', by)
    call('HINCRBY', person, 'z', by * h[2])
end

local function attachment_bind(p, a)
    local key, record = key_of(p, a[1]), 'r:' .. check_id(a[3])
    local person = call('HGET', key, 'p')
    if not person then
        return { 'absent' }
    elseif call('HEXISTS', key, record) == 1 then
        return { 'bound' }
    elseif person ~= check_hex(a[2]) then
        return { 'other' }
    end
    local count = #records_of(call('HGETALL', key)) / 2
    if count >= RECORDS_MAX then
        return { 'full' }
    elseif count == 0 then
        free(p, key, -1)
    end
    call('HSET', key, record, text(wall()))
    return { 'bound' }
end

local function attachment_sweep(p, a)
    local key, before = key_of(p, a[1]), integer(a[2], 0, 2 ^ 50, 'time')
    local h = call('HMGET', key, 'p', 'd', 'c')
    if not h[1] then
        return { 'none' }
    elseif tonumber(h[3]) >= before then
        return { 'kept' }
    end
    local records, out, now = records_of(call('HGETALL', key)), { 'ask' }, wall()
    for i = 1, #records, 2 do
        if records[i + 1] == '+' or now - records[i + 1] < SURE_MS then
            return { 'kept' }
        end
        out[#out + 1] = records[i]
    end
    if #out > 1 then
        return out
    end
    free(p, key, -1)
    if call('HGET', p .. ':ap:' .. h[1], 'd:' .. h[2]) == a[1] then
        call('HDEL', p .. ':ap:' .. h[1], 'd:' .. h[2])
    end
    call('DEL', key)
    return { 'gone' }
end

local function attachment_told(p, a)
    local key = key_of(p, a[1])
    if call('EXISTS', key) == 0 then
        return { 'kept' }
    end
    local before = #records_of(call('HGETALL', key))
    for i = 2, #a, 2 do
        if a[i + 1] == '1' then
            call('HSET', key, 'r:' .. check_id(a[i]), '+')
        else
            call('HDEL', key, 'r:' .. check_id(a[i]))
        end
    end
    if before > 0 and #records_of(call('HGETALL', key)) == 0 then
        free(p, key, 1)
    end
    return { 'kept' }
end

local function known(p, a)
    local out = {}
    for i = 1, #a do
        out[i] = text(call('EXISTS', p .. ':r:' .. check_id(a[i])))
    end
    return out
end

register('ym_attachment_room', { 'no-writes' }, attachment_room)
register('ym_attachment_put', {}, attachment_put)
register('ym_attachment_get', { 'no-writes' }, attachment_get)
register('ym_attachment_bind', {}, attachment_bind)
register('ym_attachment_sweep', { 'allow-oom' }, attachment_sweep)
register('ym_attachment_told', { 'allow-oom' }, attachment_told)
register('ym_known', { 'no-writes' }, known)

end
