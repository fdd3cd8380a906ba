-- SPDX-License-Identifier: Apache-2.0
-- Records: accept, revise, get, history, withdraw (a part of ym_store.lua).
do

local function created_of(ctx, serial)
    local id = id_of(ctx, serial)
    local m = id and call('HGET', ctx.r .. id, 'm')
    return m and load_head(m).created
end

local function index_key(ctx, name, digest, serial, created)
    local bucket, field, many = key_field(name, digest)
    local list = call('HGET', ctx.p .. bucket, field) or ''
    if list == '+' then
        call('ZADD', ctx.p .. many, created, serial)
        return field
    end
    local serials = serials_of(list)
    for _, known in ipairs(serials) do
        if known == serial then
            return field
        end
    end
    if #serials < KEY_LIST_MAX then
        call('HSET', ctx.p .. bucket, field, list .. struct.pack('>I5', serial))
        return field
    end
    for _, known in ipairs(serials) do
        call('ZADD', ctx.p .. many, created_of(ctx, known) or 0, known)
    end
    call('ZADD', ctx.p .. many, created, serial)
    call('HSET', ctx.p .. bucket, field, '+')
    return field
end

-- Where a key is kept: hashes of 30 days each, so that they can expire as a whole. 80 bits of the
-- digest name it; a client can only ever meet its own keys.
local function idempotency_slot(p, idem, now)
    local digest = #idem >= 23 and not find(idem, '%X') and idem or redis.sha1hex(idem)
    return { period = floor(now / (IDEMPOTENCY_DAYS * DAY)), bucket = ':' .. sub(digest, 1, 3),
        head = p .. ':i:', field = bytes_of(digest, 4, 10) }
end

local function body_mark(digest)
    return #digest == 64 and not find(digest, '%X') and bytes_of(digest, 1, 8)
        or sub(digest, 1, 16)
end

-- → the reply for a key that was used within its days, or nil
local function idempotent_reply(ctx, slot, digest)
    for period = slot.period, slot.period - 1, -1 do
        local entry = call('HGET', slot.head .. period .. slot.bucket, slot.field)
        local serial = entry and struct.unpack('>I6', entry)
        local id = serial and id_of(ctx, serial)
        local created = id and created_of(ctx, serial)
        if created and ctx.now - created < IDEMPOTENCY_DAYS * DAY then
            if sub(entry, 7) ~= body_mark(digest) then
                return { 'mismatch', id }
            end
            return { 'replayed', id, text(created) }
        end
    end
    return nil
end

local function keep_idempotency(slot, serial, digest)
    local key = slot.head .. slot.period .. slot.bucket
    call('HSET', key, slot.field, struct.pack('>I6', serial) .. body_mark(digest))
    call('PEXPIREAT', key, text((slot.period + 2) * IDEMPOTENCY_DAYS * DAY), 'NX')
end

-- Listing indexes hold an entry <created>-<serial>. Ids may stray a little from the store's clock;
-- by how much is kept, so that a listing knows when it has seen every id above a given one.
local function index_record(ctx, id, m, entry, clock)
    local p = ctx.p
    local ahead = m.created - id_time(id)
    if ahead > STRAY_MAX or ahead < -STRAY_MAX then
        call('ZADD', p .. ':ix:late', 0, id)
        return
    end
    if ahead > clock.a then
        call('HSET', p .. ':c', 'a', ahead)
    elseif -ahead > clock.b then
        call('HSET', p .. ':c', 'b', -ahead)
    end
    call('XADD', p .. ':ix:a', entry, 'i', '')
    call('XADD', p .. ':ix:o:' .. m.owner, entry, 'i', '')
    for _, level in ipairs(AREA_LEVELS) do
        if #m.area >= level then
            call('XADD', p .. ':ix:p:' .. sub(m.area, 1, level), entry, 'i', '')
        end
    end
end

local function map_record(p, serial, id)
    local key, slot = p .. ':id:' .. text(floor(serial / CHUNK)), serial % CHUNK
    if slot == 0 or serial == 1 then -- the whole chunk at once: no slack from growing
        call('SETRANGE', key, CHUNK * 26 - 1, '\0')
    end
    call('SETRANGE', key, text(slot * 26), id)
end

-- Numbers of systems in this shard; one that is new gets the next.
local function numbers_of(p, systems)
    if #systems == 0 then
        return systems
    end
    local known, next_number = call('HMGET', p .. ':num', unpack(systems)), nil
    for i = 1, #known do
        if not known[i] then
            check_system(systems[i])
        end
    end
    for i = 1, #known do
        if not known[i] then
            next_number = next_number or call('HLEN', p .. ':num')
            known[i] = text(next_number)
            call('HSET', p .. ':num', systems[i], known[i])
            next_number = next_number + 1
        end
    end
    return known
end

-- a[at] = how many, then that many name, value pairs → names, values, where the next argument is
local function pair_list(a, at, what)
    local n, names, values = integer(a[at], 0, SYSTEMS_MAX, what), {}, {}
    for i = 1, n do
        local name, value = a[at + 2 * i - 1], a[at + 2 * i]
        if not value or name == '' then
            fail(what .. ': too few arguments')
        end
        names[i], values[i] = name, value
    end
    return names, values, at + 2 * n + 1
end

local function target_list(a, at)
    local names, initials, after = pair_list(a, at, 'systems')
    local seen = {}
    for i = 1, #names do
        if (initials[i] ~= 'q' and initials[i] ~= 'h') or seen[names[i]] then
            fail('bad target ' .. names[i])
        end
        seen[names[i]] = true
    end
    return names, initials, after
end

local function enqueue(p, names, initials, entry, created, serial)
    local head = p .. ':q:'
    for i = 1, #names do
        local system = names[i]
        if initials[i] == 'q' then
            call('XADD', head .. system, entry, 'i', '')
        else
            call('ZADD', p .. ':x:' .. system .. ':h', created, serial)
            call('HINCRBY', p .. ':n:' .. system, 'h', 1)
        end
    end
end

local function accept(p, a)
    local id, envelope, idem = check_id(a[1]), a[2], a[7]
    local names, initials, at = target_list(a, 9)
    local keys, digests, after = pair_list(a, at, 'keys')
    local typed = a[after] and integer(a[after], 0, 1e6, 'typed')
    if #a > after or envelope == '' or a[3] == '' then
        fail('bad accept')
    end
    local ctx = open(p)
    local slot = idem ~= '' and idempotency_slot(p, idem, ctx.now)
    local there = slot and idempotent_reply(ctx, slot, a[8])
    if there then
        return there
    end
    there = call('HGET', ctx.r .. id, 'm')
    if there then
        return { 'replayed', id, text(load_head(there).created) }
    end

    local c = call('HMGET', p .. ':c', 'n', 'l', 'a', 'b')
    local serial, created = tonumber(c[1] or 0) + 1, max(ctx.now, tonumber(c[2] or 0))
    local m = { type = a[3], owner = a[4], org = a[5], area = a[6], created = created,
        updated = created, revision = 1, withdrawn = 0, serial = serial }
    local numbers, fields = numbers_of(p, names), {}
    for i = 1, #names do
        fields[2 * i - 1], fields[2 * i] = numbers[i], initials[i]
    end
    local serial_text, created_text = text(serial), text(created)
    local entry = created_text .. '-' .. serial_text
    call('HSET', p .. ':c', 'n', serial_text, 'l', created_text)
    call('HSET', ctx.r .. id, 'm', pack_meta(m), 'b1', envelope, unpack(fields))
    map_record(p, serial, id)
    enqueue(p, names, initials, entry, created_text, serial_text)
    index_record(ctx, id, m, entry, { a = tonumber(c[3] or 0), b = tonumber(c[4] or 0) })
    for i = 1, #keys do
        index_key(ctx, keys[i], digests[i], serial, created)
    end
    if slot then
        keep_idempotency(slot, serial, a[8])
    end
    tally(p, ctx.now, 'filed:' .. m.type, 1)
    if typed then
        tally(p, ctx.now, 'typed:' .. m.type, typed)
    end
    return { 'created', id, text(created) }
end

local function revise_delivery(ctx, id, system, d, m, by)
    if d.letter == 'j' then
        audit(ctx, by, 'revise', id, system, 'a new revision')
        d.problem, d.tries = '', 0
        onward(ctx, system, d, m.serial, m)
    elseif d.letter == 'd' then
        onward(ctx, system, d, m.serial, m)
    elseif d.letter == 'r' then
        d.tries = 0 -- other data, a new budget; its turn stays
    elseif d.letter == 'h' then
        push(ctx.zadd, ctx.p .. ':x:' .. system .. ':h', ctx.now, m.serial)
        return false
    else
        return d.flown -- what is in flight carries the revision that was the latest
    end
    return true
end

local function revise(p, a)
    local id, expected, envelope, by = check_id(a[1]), integer(a[2], 1, 1e9, 'revision'), a[3], a[4]
    local keys, digests, after = pair_list(a, 5, 'keys')
    local typed = a[after] and integer(a[after], 0, 1e6, 'typed')
    if #a > after or envelope == '' then
        fail('bad revise')
    end
    local crew = crew_of(p)
    local rec = load_record(p, id, crew, true)
    if not rec then
        return { 'absent' }
    end
    local m = rec.meta
    if m.withdrawn > 0 then
        return { 'withdrawn' }
    end
    if m.revision ~= expected then
        local same = m.revision == expected + 1 and rec.envelope == envelope
        return { same and 'revised' or 'stale', text(m.revision) }
    end

    local ctx, names, fields = open(p), crew.names, {}
    m.revision, m.updated = expected + 1, max(ctx.now, m.updated)
    for _, number in ipairs(rec.numbers) do
        local d = rec.deliveries[number]
        if revise_delivery(ctx, id, names[number], d, m, by) then
            push(fields, 'f', text(number), packed(ctx, names[number], d, m.serial))
        end
    end
    local indexed = {}
    for i = 1, #keys do
        indexed[i] = index_key(ctx, keys[i], digests[i], m.serial, m.created)
    end
    call('HSET', p .. ':v:' .. id, text(expected), rec.envelope)
    call('HDEL', p .. ':r:' .. id, 'b' .. text(expected))
    call('HSET', p .. ':r:' .. id, 'm', pack_meta(m), 'b' .. text(m.revision), envelope,
        'k', table.concat(indexed), unpack(fields.f or {}))
    note(ctx, 'revised:' .. m.type, 1)
    if typed then
        note(ctx, 'typed:' .. m.type, typed)
    end
    flush(ctx)
    return { 'revised', text(m.revision) }
end

local function get(p, a)
    local id, revision = check_id(a[1]), integer(a[2] or '0', 0, 1e9, 'revision')
    local crew = crew_of(p)
    local rec = load_record(p, id, crew)
    if not rec or revision > rec.meta.revision then
        return false
    end
    return render(p, rec, crew.names, envelope_of(p, id, rec.meta, rec.envelope, revision))
end

local function history(p, a)
    local id = check_id(a[1])
    local packed_meta = call('HGET', p .. ':r:' .. id, 'm')
    if not packed_meta then
        return false
    end
    local out, last = {}, load_meta(packed_meta).revision
    for i = 1, last - 1 do
        out[i] = { text(i), call('HGET', p .. ':v:' .. id, text(i)) or '' }
    end
    out[last] = { text(last), call('HGET', p .. ':r:' .. id, 'b' .. text(last)) or '' }
    return out
end

local function withdraw_delivery(ctx, id, system, d, m, who, listed)
    local letter = d.letter
    d.wd = listed and 1 or 2
    if letter == 's' or letter == 'c' or letter == 'u' then
        return -- what is under way ends first; then onward() sees it
    end
    if letter == 'x' or letter == 'j' or letter == 'h' then
        audit(ctx, who.by, 'withdraw', id, system, who.why)
    end
    if d.has > 0 and listed and (letter == 'q' or letter == 'r') then
        d.tries = 0
        return -- has its turn already
    end
    fence(ctx, system, d, m.serial)
    d.tries = 0
    onward(ctx, system, d, m.serial, m)
end

local function withdraw(p, a)
    local id, who, listed = check_id(a[1]), { by = a[2], why = a[3] }, {}
    local n = integer(a[4], 0, SYSTEMS_MAX, 'systems')
    if #a ~= 4 + n then
        fail('bad withdraw')
    end
    for i = 5, #a do
        listed[check_system(a[i])] = true
    end
    local crew = crew_of(p)
    local rec = load_record(p, id, crew, true)
    if not rec then
        return { 'absent' }
    end
    local m = rec.meta
    if m.withdrawn > 0 then
        return { 'already', text(m.withdrawn) }
    end

    local ctx, names, fields = open(p), crew.names, {}
    m.withdrawn = ctx.now
    for _, number in ipairs(rec.numbers) do
        local d = rec.deliveries[number]
        withdraw_delivery(ctx, id, names[number], d, m, who, listed[names[number]])
        push(fields, 'f', text(number), packed(ctx, names[number], d, m.serial))
    end
    call('HSET', p .. ':r:' .. id, 'm', pack_meta(m), unpack(fields.f or {}))
    audit(ctx, who.by, 'withdraw', id, '', who.why)
    flush(ctx)
    return { 'withdrawn', text(m.withdrawn) }
end

-- Takes a record out from under an old search key. A key that has become a sorted set stays one.
local function unindex_key(ctx, name, digest, serial)
    local bucket, field, many = key_field(name, digest)
    local list = call('HGET', ctx.p .. bucket, field)
    if list == '+' then
        call('ZREM', ctx.p .. many, serial)
        return field
    end
    local rest = {}
    for _, known in ipairs(serials_of(list or '')) do
        if known ~= serial then
            rest[#rest + 1] = struct.pack('>I5', known)
        end
    end
    if #rest > 0 then
        call('HSET', ctx.p .. bucket, field, table.concat(rest))
    elseif list then
        call('HDEL', ctx.p .. bucket, field)
    end
    return field
end

-- The same search keys under other digests: a key ring came to be.
local function rekey(p, a)
    local ctx, id, n = open(p), check_id(a[1]), integer(a[2], 0, 1000, 'keys')
    if #a ~= 2 + 3 * n then
        fail('bad rekey')
    end
    local h = call('HMGET', ctx.r .. id, 'm', 'k')
    if not h[1] then
        return { 'absent' }
    end
    local m, indexed = load_meta(h[1]), h[2]
    for i = 3, #a, 3 do
        local old = unindex_key(ctx, a[i], a[i + 1], m.serial)
        local new = index_key(ctx, a[i], a[i + 2], m.serial, m.created)
        for at = 1, indexed and #indexed or 0, #old do
            if sub(indexed, at, at + #old - 1) == old then
                indexed = sub(indexed, 1, at - 1) .. new .. sub(indexed, at + #old)
            end
        end
    end
    if indexed then
        call('HSET', ctx.r .. id, 'k', indexed)
    end
    return { 'kept' }
end

register('ym_rekey', {}, rekey)
register('ym_accept', {}, accept)
register('ym_revise', {}, revise)
register('ym_get', { 'no-writes' }, get)
register('ym_history', { 'no-writes' }, history)
register('ym_withdraw', { 'allow-oom' }, withdraw)

end
