-- SPDX-License-Identifier: Apache-2.0
-- Evidence: entries come in, are found, and leave for the chain of files; the contract is
-- ym_store_evidence.h (a part of ym_store.lua).
do

local LOOK = 200         -- entries per XRANGE of a search
local UNARCHIVED = 2000  -- more than that: nothing is trimmed now
local FILED_BYTES = 4194304

-- Where an entry has its fields: the names that every writer uses are looked up, whatever their order.
local function fields_of(flat)
    local f = {}
    for i = 1, #flat, 2 do
        f[flat[i]] = flat[i + 1]
    end
    return f
end

local function check_entry(s, what)
    if not s or (s ~= '' and not match(s, '^%d+%-%d+$')) then
        fail(what .. ' is no entry')
    end
    return s
end

-- A digest as it came: 32 bytes, hex, or any text.
local function hex(s)
    return s == '' and '' or digest_out(digest_in(s))
end

-- A call that is repeated: did the first one get through?
local function known(key, uid, since)
    local from = text(max(since - 1000, 0))
    while true do
        local page = call('XRANGE', key, from, '+', 'COUNT', LOOK)
        for _, e in ipairs(page) do
            if fields_of(e[2]).uid == uid then
                return e[1]
            end
        end
        if #page < LOOK then
            return nil
        end
        from = '(' .. page[#page][1]
    end
end

local function evidence(p, a)
    if #a ~= 11 or a[2] == '' then
        fail('bad evidence')
    end
    local key, since = p .. ':audit', a[11] ~= '' and integer(a[11], 0, 1e15, 'since')
    local there = since and a[9] ~= '' and known(key, a[9], since)
    if there then
        return { 'there', there }
    end
    local entry = call('XADD', key, '*', 'who', a[1], 'what', a[2], 'id', a[3], 'system', a[4],
        'why', a[5], 'peer', a[6], 'request', a[7], 'outcome', a[8], 'uid', a[9], 'at', a[10])
    return { 'kept', entry }
end

local FILTERS = { who = true, what = true, id = true, system = true, outcome = true }

local function wanted_of(a)
    local want, from, to = {}, nil, '+'
    if #a % 2 ~= 1 then
        fail('bad filters')
    end
    for i = 4, #a, 2 do
        if a[i] == 'from' then
            from = text(integer(a[i + 1], 0, 1e15, 'from'))
        elseif a[i] == 'to' then
            local ms = integer(a[i + 1], 0, 1e15, 'to')
            to = text(max(ms - 1, 0))
        elseif FILTERS[a[i]] then
            want[a[i]] = a[i + 1]
        else
            fail('unknown filter')
        end
    end
    return want, from, to
end

local function fits(f, want)
    for name, value in pairs(want) do
        if (f[name] or '') ~= value then
            return false
        end
    end
    return true
end

local function find_entries(p, a)
    local after, most = check_entry(a[1], 'after'), integer(a[2], 1, 1000, 'max')
    local steps = integer(a[3], 1, 100000, 'steps')
    local want, from, to = wanted_of(a)
    local start = from or '-'
    if after ~= '' and (not from or tonumber(match(after, '^%d+')) >= tonumber(from)) then
        start = '(' .. after
    end
    local out, looked = { '1', after }, 0
    while #out - 2 < most do
        local page = call('XRANGE', p .. ':audit', start, to, 'COUNT', LOOK)
        for _, e in ipairs(page) do
            local f = fields_of(e[2])
            out[2] = e[1]
            if fits(f, want) then
                out[#out + 1] = { e[1], f.at and f.at ~= '' and f.at or match(e[1], '^%d+'),
                    f.who or '', f.what or '', f.id or '', f.system or '', f.why or '',
                    f.peer or '', f.request or '', f.outcome or '' }
                if #out - 2 == most then
                    out[1] = '0'
                    return out
                end
            end
        end
        looked = looked + #page
        if #page < LOOK then
            return out
        elseif looked >= steps then
            break
        end
        start = '(' .. out[2]
    end
    out[1] = '0'
    return out
end

local function place(p)
    local c = call('HMGET', p .. ':ch', 'upto', 'serial')
    return { c[1] or '', c[2] or '0', call('HGET', p .. ':c', 'n') or '0',
        text(call('XLEN', p .. ':audit')) }
end

local function take(p, a)
    local after, out = check_entry(a[1], 'after'), {}
    local most = integer(a[2], 1, 2000, 'max')
    for i, e in ipairs(call('XRANGE', p .. ':audit', after == '' and '-' or '(' .. after, '+',
        'COUNT', most)) do
        out[i] = e[2]
        table.insert(out[i], 1, e[1])
    end
    return out
end

-- Settled deliveries: one entry for all that a call has settled, TOLD values each.
local TOLD = 7

local function settled(p, a)
    local from, most = check_entry(a[1], 'from'), integer(a[2], 1, 10000, 'max')
    local out, count = {}, 0
    for _, e in ipairs(call('XRANGE', p .. ':settled', from == '' and '-' or from, '+', 'COUNT', LOOK)) do
        local list = unpack_msg(e[2][2])
        local row = { e[1], e[2][1] }
        for i = 1, #list, TOLD do
            row[#row + 1] = { list[i], OPS[list[i + 1]] or 'lookup', text(list[i + 2]), list[i + 3],
                list[i + 4], hex(list[i + 5]), hex(list[i + 6]) }
        end
        out[#out + 1] = row
        count = count + #row - 2
        if count >= most then
            break
        end
    end
    return out
end

-- Of records nothing is written twice: the map of serials tells which there are.
local function filed(p, a)
    local ctx, out, bytes = open(p), {}, 0
    local after, most = integer(a[1], 0, 1e13, 'after'), integer(a[2], 1, 1000, 'max')
    local last = tonumber(call('HGET', p .. ':c', 'n') or 0)
    for serial = after + 1, min(last, after + most) do
        local id = id_of(ctx, serial)
        local packed_meta = id and call('HGET', ctx.r .. id, 'm')
        if packed_meta then
            local m = load_meta(packed_meta)
            local envelope = call('HGET', p .. ':v:' .. id, '1') or call('HGET', ctx.r .. id, 'b1')
                or call('HGET', ctx.r .. id, 'b') or ''
            out[#out + 1] = { text(serial), id, text(m.created), m.owner, m.type, m.org, m.area,
                envelope }
            bytes = bytes + #envelope
            if bytes > FILED_BYTES then
                break
            end
        else
            out[#out + 1] = { text(serial), id or '', '0', '', '', '', '', '' }
        end
    end
    return out
end

local function later(entry, than)
    local ms, n = match(entry, '^(%d+)%-(%d+)$')
    local other_ms, other_n = match(than, '^(%d+)%-(%d+)$')
    ms, other_ms = tonumber(ms), tonumber(other_ms)
    return ms > other_ms or (ms == other_ms and tonumber(n) > tonumber(other_n))
end

local function done(p, a)
    local upto, serial = check_entry(a[1], 'upto'), integer(a[2], 0, 1e13, 'serial')
    local keep, key = integer(a[3], 1000, 1e7, 'keep'), p .. ':audit'
    local told = check_entry(a[4], 'told')
    local c = call('HMGET', p .. ':ch', 'upto', 'serial')
    if upto ~= '' and (not c[1] or later(upto, c[1])) then
        call('HSET', p .. ':ch', 'upto', upto)
    else
        upto = c[1] or ''
    end
    if serial > tonumber(c[2] or 0) then
        call('HSET', p .. ':ch', 'serial', text(serial))
    end
    if told ~= '' then
        local ms, n = match(told, '^(%d+)%-(%d+)$')
        call('XTRIM', p .. ':settled', 'MINID', ms .. '-' .. text(n + 1))
    end
    if upto == '' then
        return { '0' }
    end
    local rest = #call('XRANGE', key, '(' .. upto, '+', 'COUNT', UNARCHIVED)
    if rest >= UNARCHIVED then
        return { '0' }
    end
    return { text(call('XTRIM', key, 'MAXLEN', '~', text(keep + rest))) }
end

local function head(p, a)
    local h = call('HMGET', p .. ':ch', 'chain', 'seq', 'mac', 'segment')
    if #a == 0 then
        return h[1] and h or false
    end
    if #a ~= 5 or #a[1] ~= 16 or #a[3] ~= 64 then
        fail('bad head')
    end
    local seq = integer(a[2], 1, 1e15, 'seq')
    if a[5] ~= '1' and h[1] and (h[1] ~= a[1] or tonumber(h[2]) > seq) then
        return { 'other', h[1], h[2] }
    end
    call('HSET', p .. ':ch', 'chain', a[1], 'seq', text(seq), 'mac', a[3], 'segment', a[4])
    return { 'ok' }
end

register('ym_evidence', { 'allow-oom' }, evidence)
register('ym_evidence_find', { 'no-writes' }, find_entries)
register('ym_evidence_place', { 'no-writes' }, place)
register('ym_evidence_take', { 'no-writes' }, take)
register('ym_evidence_settled', { 'no-writes' }, settled)
register('ym_evidence_filed', { 'no-writes' }, filed)
register('ym_evidence_done', { 'allow-oom' }, done)
register('ym_evidence_head', { 'allow-oom' }, head)

end
