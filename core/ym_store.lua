#!lua name=yimen
-- SPDX-License-Identifier: Apache-2.0
-- The store: every change of a record or a delivery is one Redis Function of this library. The
-- contract (names, arguments, replies, keys) is ym_store.h, the states are drawn in
-- docs/delivery.md. The library is ym_store.lua and the ym_store_*.lua after it in name order, one
-- text: this part holds what all share.
--
-- Lua has no rollback: every function reads and checks first and writes last. Whatever moves a
-- delivery does it through the context (open … flush), which gathers the changes of a batch and
-- writes each counter, each sorted set and each stream once.

local VERSION = '6'
local DAY = 86400000
local CHINA = 28800000          -- ms ahead of UTC: where a day of the reports begins
local TALLY_DAYS = 800
local IDEMPOTENCY_DAYS = 30
local GROUP = 'w'
local SYSTEMS_MAX = 64
local BATCH_MAX = 1000         -- items per call: Lua's C stack ends unpack() at about 8000
local CHUNK = 39               -- ids per map chunk: 39 × 26 bytes fill a 1 KB allocation
local STRAY_MAX = 2000         -- ms an id may stray from the clock and still stand in the streams
local KEY_LIST_MAX = 40        -- records per search key kept as a list; more make it a stream
local DIRECT_MAX = 2000        -- candidates a listing takes from sorted sets rather than an index
local LEASE_MAX = 900000       -- ms: no attempt of a living worker lasts longer
local AREA_LEVELS = { 12, 9 }  -- digits of an area code that have an index: village, town
local RESTING = { u = 'U', c = 'C' }
local EXCEPTIONAL = { r = true, u = true, j = true, x = true, h = true }
-- What is counted. U and C: u and c that only a person can end. q is not: whatever stands in the
-- stream or among the delayed and is none of s r c u is queued.
local CLASSES = { 's', 'd', 'r', 'c', 'C', 'u', 'U', 'j', 'x', 'h', 'w' }
local WORDS = { queued = 'q', sending = 'sc', delivered = 'd', retrying = 'r', unknown = 'u',
    rejected = 'j', dead = 'x', handoff = 'h', withdrawn = 'w' }
local OPS = { c = 'create', u = 'update', w = 'withdraw' }
local BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

-- While the library loads there are no globals at all; the first call binds these.
local call, floor, max, min, sub, match, find, gmatch, byte, pack, unpack_msg, unpack_some
local DIGIT, SMALL = {}, {}

local function bind()
    call = redis.call
    floor, max, min = math.floor, math.max, math.min
    sub, match, find = string.sub, string.match, string.find
    gmatch, byte = string.gmatch, string.byte
    pack, unpack_msg, unpack_some = cmsgpack.pack, cmsgpack.unpack, cmsgpack.unpack_limit
    for i = 1, #BASE32 do
        DIGIT[byte(BASE32, i)] = i - 1
    end
    for i = 0, 255 do
        SMALL[i] = string.format('%d', i)
    end
end

-- Functions that must work when memory is full, so that the queues can drain, say allow-oom.
local function register(name, flags, run)
    redis.register_function({ function_name = name, flags = flags, callback = function(keys, args)
        if not call then
            bind()
        end
        if #keys ~= 1 or not match(keys[1], '^{s%d+}$') then
            error({ err = 'ERR yimen: the one key is the shard, {sN}' })
        end
        return run(keys[1], args)
    end })
end

-- Arguments ---------------------------------------------------------------------------------------

local function fail(what)
    error({ err = 'ERR yimen: ' .. what })
end

local function text(n)
    return SMALL[n] or string.format('%.0f', n)
end

local function integer(s, low, high, what)
    local n = s and tonumber(s)
    if not n or n < low or n > high or n % 1 ~= 0 then
        fail(what .. ' is no whole number in its bounds')
    end
    return n
end

local function valid_id(s)
    return #s == 26 and not find(s, '[^0-9A-HJKMNP-TV-Z]')
end

local function check_id(s)
    if not s or not valid_id(s) then
        fail('bad record id')
    end
    return s
end

local function check_system(s)
    if not s or #s > 64 or not match(s, '^[%w][%w%._%-]*$') then
        fail('bad system name')
    end
    return s
end

local function id_time(id)
    local n, digits = 0, { byte(id, 1, 10) }
    for i = 1, 10 do
        n = n * 32 + DIGIT[digits[i]]
    end
    return n
end

-- The smallest id of that millisecond.
local function id_floor(ms)
    local out = {}
    for i = 10, 1, -1 do
        local digit = ms % 32
        out[i] = sub(BASE32, digit + 1, digit + 1)
        ms = (ms - digit) / 32
    end
    return table.concat(out) .. '0000000000000000'
end

-- A SHA-256 is kept in its 32 bytes behind a "#", whether it came as bytes or in hex; any other text
-- as it is behind a "=".
local function digest_in(s)
    if #s == 32 then
        return '#' .. s
    elseif #s ~= 64 or find(s, '[^0-9a-f]') then
        return '=' .. s
    end
    return '#' .. string.gsub(s, '%x%x', function(pair) return string.char(tonumber(pair, 16)) end)
end

local function digest_out(s)
    if s == '' or byte(s) == 61 then
        return sub(s, 2)
    end
    return string.format('%012x%012x%012x%012x%012x%04x', struct.unpack('>I6I6I6I6I6I2', s, 2))
end

-- Packed values -----------------------------------------------------------------------------------

local function load_meta(packed)
    local v, w, n, c, u, t, o, g, a = unpack_msg(packed)
    return { type = t, owner = o, org = g, area = a, created = c, updated = u > 0 and u or c,
        revision = v, withdrawn = w, serial = n }
end

-- Only what moving a delivery needs.
local function load_head(packed)
    local _, v, w, n, c, _, t = unpack_some(packed, 6)
    return { created = c, revision = v, withdrawn = w, serial = n, type = t }
end

local function pack_meta(m)
    return pack(m.revision, m.withdrawn, m.serial, m.created,
        m.updated == m.created and 0 or m.updated, m.type, m.owner, m.org, m.area)
end

-- A delivery. letter · has: revision the system holds · tries, looks: attempts and lookups counted ·
-- entry: its entry in the stream, '' none, nil the one it was accepted with · epoch: of the worker
-- that has it in flight, 0 none or not written (see leases) · seq: rises with every claim and every
-- fence · sent, rev, op: the last attempt's time, revision, operation (c u w) · due: 0 none, -1 only
-- a person · number, digest, problem · hand: 1 = the system has no interface · wd: withdrawal 1 by
-- operation, 2 by hand · was: what it is counted as
local function class(d)
    return d.due == -1 and RESTING[d.letter] or d.letter
end

local function load(packed)
    if #packed == 1 then -- a new one: nothing happened yet
        local hand = packed == 'h'
        return { letter = packed, was = packed, has = 0, tries = 0, entry = hand and '' or nil,
            epoch = 0, seq = 0, sent = 0, rev = 0, due = 0, op = 'c', number = '', digest = '',
            problem = '', hand = hand and 1 or 0, wd = 0, looks = 0 }
    end
    local l, h, t, i, e, q, s, r, d, o, n, g, p, k, w, y = unpack_msg(packed)
    return { letter = l, was = d == -1 and RESTING[l] or l, has = h, tries = t, entry = i,
        epoch = e, seq = q, sent = s, rev = r, due = d, op = o, number = n or '', digest = g or '',
        problem = p or '', hand = k or 0, wd = w or 0, looks = y or 0 }
end

-- Shorter while there is nothing to say at the end.
local function pack_delivery(d)
    local entry = d.entry or ''
    if d.problem == '' and d.hand == 0 and d.wd == 0 and d.looks == 0 then
        if d.number == '' and d.digest == '' then
            return pack(d.letter, d.has, d.tries, entry, d.epoch, d.seq, d.sent, d.rev, d.due, d.op)
        end
        return pack(d.letter, d.has, d.tries, entry, d.epoch, d.seq, d.sent, d.rev, d.due, d.op,
            d.number, d.digest)
    end
    return pack(d.letter, d.has, d.tries, entry, d.epoch, d.seq, d.sent, d.rev, d.due, d.op,
        d.number, d.digest, d.problem, d.hand, d.wd, d.looks)
end

-- With the entry it was accepted with filled in, for whoever moves it.
local function load_placed(packed, m)
    local d = load(packed)
    if not d.entry then
        d.entry = string.format('%.0f-%.0f', m.created, m.serial)
    end
    return d
end

-- Leases ------------------------------------------------------------------------------------------

-- What a system's worker has claimed. Entries only rise, so what is in flight is what still stands in
-- the stream up to (ms, serial); up to (from_ms, from_serial) it was claimed under earlier epochs. So
-- claiming a queued delivery writes nothing to it: `fly` says what the claim made of it, until
-- something is written. at: the last claim's time · each, from_each: every revision is sent
local function load_lease(packed)
    local e, h, a, m, s, f, g, k = unpack_msg(packed)
    return { epoch = e, each = h == 1, at = a, ms = m, serial = s, from_ms = f, from_serial = g,
        from_each = k == 1 }
end

local function read_lease(p, system)
    local packed = call('HGET', p .. ':f', system)
    return packed and load_lease(packed)
end

local function write_lease(p, system, l)
    call('HSET', p .. ':f', system, pack(l.epoch, l.each and 1 or 0, l.at, l.ms, l.serial,
        l.from_ms, l.from_serial, l.from_each and 1 or 0))
end

local function beyond(ms, serial, last_ms, last_serial)
    return ms > last_ms or (ms == last_ms and serial > last_serial)
end

-- What is to be done with a delivery whose turn has come: c u w create, update, withdraw, l look;
-- nil when there is nothing.
local function operation(d, m)
    if d.letter == 'u' or d.letter == 'c' then
        return 'l'
    elseif m.withdrawn > 0 then
        return d.has > 0 and 'w' or nil
    elseif d.has >= m.revision then
        return nil
    end
    return d.has == 0 and 'c' or 'u'
end

local function begin_attempt(d, m, op, each, epoch, at)
    d.letter, d.op, d.sent, d.epoch, d.seq = 's', op, at, epoch, d.seq + 1
    d.rev = each and op ~= 'w' and d.has + 1 or m.revision
end

-- A queued delivery that its system's worker has claimed becomes what it is: sending.
local function fly(d, m, lease)
    if not lease or d.letter ~= 'q' or d.epoch > 0 or d.due > 0 or d.entry == '' then
        return
    end
    local ms, op = d.entry and tonumber(match(d.entry, '^%d+')) or m.created, operation(d, m)
    if not op or beyond(ms, m.serial, lease.ms, lease.serial) then
        return
    end
    local own = beyond(ms, m.serial, lease.from_ms, lease.from_serial)
    local epoch = own and lease.epoch or max(lease.epoch - 1, 1)
    begin_attempt(d, m, op, own and lease.each or not own and lease.from_each, epoch, lease.at)
    d.was, d.flown = 's', true
end

-- The context: one per call -----------------------------------------------------------------------

local function wall()
    local t = call('TIME')
    return t[1] * 1000 + floor(t[2] / 1000)
end

local function open(p)
    return { p = p, r = p .. ':r:', now = wall(), chunks = {}, counts = {}, upto = {}, add = {},
        zadd = {}, zrem = {}, done = {}, tally = {}, told = {} }
end

local function id_of(ctx, serial)
    local chunk = floor(serial / CHUNK)
    local ids = ctx.chunks[chunk]
    if not ids then
        ids = call('GET', ctx.p .. ':id:' .. text(chunk)) or ''
        ctx.chunks[chunk] = ids
    end
    local from = (serial % CHUNK) * 26
    local id = sub(ids, from + 1, from + 26)
    return #id == 26 and byte(id) ~= 0 and id or nil
end

-- Reports count by day in China. What is counted is named by system and type: nothing in these keys
-- or fields is ever a person's, an organisation's or an area's (docs/promise.md).
local function tally(p, now, name, by)
    local key = p .. ':day:' .. text(floor((now + CHINA) / DAY))
    if call('HINCRBY', key, name, by) == by then -- new in this day, perhaps the day itself
        call('PEXPIRE', key, TALLY_DAYS * DAY, 'NX')
    end
end

local function note(ctx, name, by)
    ctx.tally[name] = (ctx.tally[name] or 0) + by
end

local function push(lists, key, a, b)
    local list = lists[key]
    if not list then
        list = {}
        lists[key] = list
    end
    list[#list + 1] = a
    if b then
        list[#list + 1] = b
    end
end

-- Counters of one system. While a recount is under way (ym_reconcile) what it has passed already is
-- counted in its shadow as well.
local function count(ctx, system, name, by, serial)
    local c = ctx.counts[system]
    if not c then
        c = {}
        ctx.counts[system] = c
        if ctx.upto[system] == nil then
            ctx.upto[system] = tonumber(call('HGET', ctx.p .. ':n:' .. system, 'upto') or 0)
        end
    end
    c[name] = (c[name] or 0) + by
    if serial and serial < ctx.upto[system] then
        name = '~' .. name
        c[name] = (c[name] or 0) + by
    end
end

local function turn(ctx, system, d, serial, letter)
    local old = d.letter
    if old == letter then
        return
    end
    if EXCEPTIONAL[old] then
        push(ctx.zrem, ctx.p .. ':x:' .. system .. ':' .. old, serial)
    end
    if EXCEPTIONAL[letter] then
        push(ctx.zadd, ctx.p .. ':x:' .. system .. ':' .. letter, ctx.now, serial)
    end
    d.letter = letter
end

-- The delivery as it is to be stored, counted as what it has become.
local function packed(ctx, system, d, serial)
    local now = class(d)
    if now ~= d.was then
        if d.was ~= 'q' then
            count(ctx, system, d.was, -1, serial)
        end
        if now ~= 'q' then
            count(ctx, system, now, 1, serial)
        end
        d.was = now
    end
    return pack_delivery(d)
end

-- The clock part of this call's new entries: above every entry written before, whatever its serial.
local function tick(ctx)
    if not ctx.tick then
        ctx.tick = max(ctx.now, tonumber(call('HGET', ctx.p .. ':c', 'l') or 0) + 1)
        call('HSET', ctx.p .. ':c', 'l', ctx.tick)
    end
    return ctx.tick
end

local function entry_id(ms, serial)
    return text(ms) .. '-' .. text(serial)
end

local function rest(d, due)
    d.entry, d.epoch, d.due = '', 0, due or 0
end

local function ready(ctx, system, d, serial)
    d.entry, d.epoch, d.due = entry_id(tick(ctx), serial), 0, 0
    push(ctx.add, system, serial)
end

local function delay(ctx, system, d, serial, ms)
    if ms <= 0 then
        return ready(ctx, system, d, serial)
    end
    rest(d, ctx.now + ms)
    push(ctx.zadd, ctx.p .. ':z:' .. system, d.due, serial)
end

-- Takes it out of wherever it waits or is in flight; a late settle finds another seq.
local function fence(ctx, system, d, serial)
    if d.due > 0 then
        push(ctx.zrem, ctx.p .. ':z:' .. system, serial)
    end
    if d.entry ~= '' then
        push(ctx.done, system, d.entry)
    end
    d.seq = d.seq + 1
    rest(d)
end

local function bulk(command, key, head, list, step)
    for i = 1, #list, BATCH_MAX do
        local last = min(i + BATCH_MAX - 1, #list)
        if head then
            call(command, key, head, unpack(list, i, last))
        else
            call(command, key, unpack(list, i, last))
        end
    end
end

local function flush(ctx)
    local p = ctx.p
    for system, entries in pairs(ctx.done) do
        bulk('XDEL', p .. ':q:' .. system, nil, entries)
    end
    for key, members in pairs(ctx.zrem) do
        bulk('ZREM', key, nil, members)
    end
    for key, pairs_ in pairs(ctx.zadd) do
        bulk('ZADD', key, nil, pairs_)
    end
    for system, serials in pairs(ctx.add) do
        table.sort(serials)
        local key = p .. ':q:' .. system
        for i = 1, #serials do
            call('XADD', key, entry_id(ctx.tick, serials[i]), 'i', '')
        end
    end
    for system, c in pairs(ctx.counts) do
        for name, by in pairs(c) do
            if by ~= 0 then
                call('HINCRBY', p .. ':n:' .. system, name, by)
            end
        end
    end
    for name, by in pairs(ctx.tally) do
        tally(p, ctx.now, name, by)
    end
end

local function audit(ctx, who, what, id, system, why)
    return call('XADD', ctx.p .. ':audit', '*', 'who', who, 'what', what, 'id', id,
        'system', system, 'why', why)
end

-- The group is the stream's cursor; the lease knows where it stood.
local function make_group(ctx, system, lease)
    return redis.pcall('XGROUP', 'CREATE', ctx.p .. ':q:' .. system, GROUP,
        lease and entry_id(lease.ms, lease.serial) or '0', 'MKSTREAM')
end

-- Somebody removed the group.
local function regroup(ctx, system, lease)
    make_group(ctx, system, lease)
    audit(ctx, 'store', 'group_recreated', '', system, 'the consumer group was gone')
    redis.log(redis.LOG_WARNING, 'yimen: the consumer group of ' .. system .. ' was gone')
end

-- What attempts sent and got, of the deliveries that did not go well: lists of their last few, gone
-- by themselves after a month. A book of their sizes bounds what a shard spends on them: beyond it the
-- delivery that was tried longest ago loses its list.
local TRACES = 5
local TRACE_MS = 30 * DAY
local TRACE_BYTES = 16777216
local TRACE_PURGE = 20 -- lists taken away per call at most

local function trace_key(p, id, number)
    return p .. ':t:' .. id .. ':' .. number
end

local function forget_traces(p, now)
    local book, times = p .. ':tb', p .. ':tz'
    for _ = 1, TRACE_PURGE do
        local first = call('ZRANGE', times, 0, 0, 'WITHSCORES')
        local total = tonumber(call('HGET', book, '*') or 0)
        if not first[1] or (total <= TRACE_BYTES and tonumber(first[2]) > now - TRACE_MS) then
            return
        end
        call('DEL', p .. ':t:' .. first[1])
        call('ZREM', times, first[1])
        call('HINCRBY', book, '*', -tonumber(call('HGET', book, first[1]) or 0))
        call('HDEL', book, first[1])
    end
end

local function keep_trace(ctx, id, number, trace)
    local p, key = ctx.p, trace_key(ctx.p, id, number)
    local grown, member = #trace, id .. ':' .. number
    local n = call('RPUSH', key, trace)
    if n == 1 then -- what the book says of an earlier list is over with it
        grown = grown - tonumber(call('HGET', p .. ':tb', member) or 0)
    elseif n > TRACES then
        grown = grown - #call('LPOP', key)
    end
    call('PEXPIRE', key, TRACE_MS)
    call('HINCRBY', p .. ':tb', member, grown)
    call('HINCRBY', p .. ':tb', '*', grown)
    call('ZADD', p .. ':tz', ctx.now, member)
    forget_traces(p, ctx.now)
end

local function problem_code(code, at)
    return '{"code":"' .. code .. '","at":' .. text(at) .. '}'
end

-- Records -----------------------------------------------------------------------------------------

local function system_names(p)
    local flat, names = call('HGETALL', p .. ':num'), {}
    for i = 1, #flat, 2 do
        names[tonumber(flat[i + 1])] = flat[i]
    end
    return names
end

-- Names of systems by number, and their leases.
local function crew_of(p)
    local flat, leases = call('HGETALL', p .. ':f'), {}
    for i = 1, #flat, 2 do
        leases[flat[i]] = load_lease(flat[i + 1])
    end
    return { names = system_names(p), leases = leases }
end

-- → {meta, envelope, keys, deliveries = {number → delivery}} or nil. placed: to be moved, not to be
-- shown.
local function load_record(p, id, crew, placed)
    local flat = call('HGETALL', p .. ':r:' .. id)
    if #flat == 0 then
        return nil
    end
    local rec, m = { deliveries = {}, numbers = {} }, nil
    for i = 1, #flat, 2 do
        local field, value = flat[i], flat[i + 1]
        local number = tonumber(field)
        if number then
            rec.numbers[#rec.numbers + 1], rec.deliveries[number] = number, value
        elseif field == 'm' then
            m = load_meta(value)
        elseif field == 'k' then
            rec.keys = value
        else
            rec.envelope = value
        end
    end
    rec.meta = m
    table.sort(rec.numbers)
    for _, number in ipairs(rec.numbers) do
        local value = rec.deliveries[number]
        local d = placed and load_placed(value, m) or load(value)
        fly(d, m, crew.leases[crew.names[number]])
        rec.deliveries[number] = d
    end
    return rec
end

-- → id, meta, delivery of a serial in a system, or nil
local function delivery_of(ctx, number, serial)
    local id = id_of(ctx, serial)
    local h = id and number and call('HMGET', ctx.r .. id, 'm', number)
    if not h or not h[2] then
        return nil
    end
    local m = load_head(h[1])
    return id, m, load_placed(h[2], m)
end

local function store_delivery(ctx, system, id, number, m, d)
    call('HSET', ctx.r .. id, number, packed(ctx, system, d, m.serial))
end

-- An attempt whose worker is gone: nobody knows how far it came.
local function abandon(ctx, system, number, id, m, d)
    push(ctx.done, system, d.entry)
    d.seq = d.seq + 1
    if d.letter == 's' then
        d.tries, d.looks = d.tries + 1, 0
        d.problem = problem_code('worker_lost', ctx.now)
        count(ctx, system, 'attempts', 1)
        turn(ctx, system, d, m.serial, 'u')
    end
    ready(ctx, system, d, m.serial)
    store_delivery(ctx, system, id, number, m, d)
end

local function envelope_of(p, id, meta, latest, revision)
    if revision == meta.revision or revision < 1 then
        return latest
    end
    return call('HGET', p .. ':v:' .. id, text(revision)) or latest
end

-- What a claim hands out: '' for the latest, which its worker reads itself.
local function earlier_envelope(p, id, meta, revision)
    return revision < meta.revision and call('HGET', p .. ':v:' .. id, text(revision)) or ''
end

local function render(p, rec, names, envelope)
    local m, out = rec.meta, {}
    for _, number in ipairs(rec.numbers) do
        local d = rec.deliveries[number]
        out[#out + 1] = { names[number] or '?', d.letter, text(m.revision), text(d.has),
            text(d.tries), text(d.due), d.number, digest_out(d.digest), text(d.sent), d.problem }
    end
    return { m.type, m.owner, m.org, m.area, text(m.created), text(m.updated), text(m.revision),
        text(m.withdrawn), envelope or rec.envelope, out }
end

-- So many bytes of hex, from its digit `at` on; 4 bytes a number.
local function bytes_of(hex, at, n)
    return struct.pack(n == 10 and '>I4I4I2' or '>I4I4', tonumber(sub(hex, at, at + 7), 16),
        tonumber(sub(hex, at + 8, at + 15), 16), n == 10 and tonumber(sub(hex, at + 16, at + 19), 16))
end

-- Search keys: one field per key and value; few records as a packed list, many as a sorted set.
local KEY_FIELD = 8 -- bytes

local function key_field(name, digest)
    local sum = redis.sha1hex(name .. ':' .. digest)
    return ':k:' .. sub(sum, 1, 3), bytes_of(sum, 4, KEY_FIELD), ':k:' .. sum
end

local function serials_of(list)
    local out = {}
    for i = 1, #list, 5 do
        out[#out + 1] = (struct.unpack('>I5', list, i))
    end
    return out
end

-- The end of everything that leaves a system with what it has: is more wanted of it?
local function onward(ctx, system, d, serial, m)
    if m.withdrawn > 0 then
        if d.has == 0 then
            rest(d)
            turn(ctx, system, d, serial, 'w')
        elseif d.wd == 1 then
            turn(ctx, system, d, serial, 'q')
            ready(ctx, system, d, serial)
        else
            rest(d)
            d.problem = '{"code":"withdraw_by_hand"}'
            turn(ctx, system, d, serial, 'h')
        end
        return
    end
    if d.has < m.revision then
        d.tries = 0
        turn(ctx, system, d, serial, d.hand == 1 and 'h' or 'q')
        if d.hand == 1 then
            rest(d)
        else
            ready(ctx, system, d, serial)
        end
        return
    end
    rest(d)
    turn(ctx, system, d, serial, 'd')
end

register('ym_version', { 'no-writes' }, function() return VERSION end)
