-- SPDX-License-Identifier: Apache-2.0
-- The worker's side: attach, claim, settle, due, reclaim (a part of ym_store.lua).
do

local function attach(p, a)
    local ctx, system, consumer = open(p), check_system(a[1]), a[2]
    if #a ~= 2 or consumer == '' then
        fail('bad attach')
    end
    local lease = read_lease(p, system) or { each = false, at = 0, ms = 0, serial = 0 }
    local made = make_group(ctx, system, lease)
    if made.err and not find(made.err, 'BUSYGROUP', 1, true) then
        return made
    end
    local epoch = call('HINCRBY', p .. ':n:' .. system, 'epoch', 1)
    call('HSET', p .. ':n:' .. system, 'consumer', consumer)
    lease.epoch, lease.from_ms, lease.from_serial = epoch, lease.ms, lease.serial
    lease.from_each = lease.from_each or lease.each
    write_lease(p, system, lease)
    return { text(epoch) }
end

-- → the number of the system in this shard, and the lease while this epoch owns the queue
local function owner(ctx, system, epoch)
    local n = call('HMGET', ctx.p .. ':n:' .. system, 'epoch', 'upto')
    ctx.upto[system] = tonumber(n[2] or 0)
    if n[1] ~= epoch then
        return nil, nil
    end
    return call('HGET', ctx.p .. ':num', system), read_lease(ctx.p, system)
end

local function read_group(ctx, system, consumer, most, lease)
    local key = ctx.p .. ':q:' .. system
    local got = redis.pcall('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', most, 'NOACK',
        'STREAMS', key, '>')
    if got and got.err then
        if not find(got.err, 'NOGROUP', 1, true) then
            error(got)
        end
        regroup(ctx, system, lease)
        got = call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', most, 'NOACK',
            'STREAMS', key, '>')
    end
    return got and got[1][2] or {}
end

-- An attempt of a queued delivery, which the lease alone records.
local function claim_queued(ctx, job, entry, id, d, m, op)
    if ctx.upto[job.system] > 0 then
        count(ctx, job.system, 's', 1, m.serial)
    else
        job.begun = job.begun + 1
    end
    begin_attempt(d, m, op, job.each, job.epoch, ctx.now)
    return { entry, id, OPS[op], job.token .. text(d.seq) .. job.tail, text(d.tries + 1), d.number,
        text(d.has), text(d.rev), job.now, m.type, m.owner, m.org, m.area, text(m.created),
        text(m.updated), earlier_envelope(ctx.p, id, m, d.rev), '', '' }
end

-- Anything else that has its turn: a repeat, a look.
local function claim_other(ctx, job, entry, id, d, m)
    local op, look = operation(d, m), false
    if not op then
        push(ctx.done, job.system, entry)
        onward(ctx, job.system, d, m.serial, m)
        return nil
    end
    if op == 'l' then
        look = true
        d.epoch, d.seq = job.epoch, d.seq + 1
    else
        turn(ctx, job.system, d, m.serial, 's')
        begin_attempt(d, m, op, job.each, job.epoch, ctx.now)
    end
    return { entry, id, OPS[op] or 'lookup', job.token .. text(d.seq) .. job.tail,
        text(look and d.looks + 1 or d.tries + 1), d.number, text(d.has), text(d.rev),
        text(d.sent), m.type, m.owner, m.org, m.area, text(m.created), text(m.updated),
        earlier_envelope(ctx.p, id, m, d.rev), look and OPS[d.op] or '', look and d.letter or '' }
end

local function claim_entry(ctx, job, entry)
    local ms, serial = match(entry, '^(%d+)%-(%d+)$')
    local ms_text = ms
    ms, serial = tonumber(ms), tonumber(serial)
    if not beyond(ms, serial, job.ms, job.serial) then
        return nil -- offered a second time by a hand on the group: it is in flight, or nowhere
    end
    local id = id_of(ctx, serial)
    local h = id and call('HMGET', ctx.r .. id, 'm', job.number)
    if not h or not h[2] then
        push(ctx.done, job.system, entry)
        return nil
    end
    local v, w, n, c, u, t, o, g, area = unpack_msg(h[1])
    if h[2] == 'q' and w == 0 and v == 1 and u == 0 and c == ms and job.plain then
        job.begun = job.begun + 1 -- by far the most: a new record's first attempt
        return { entry, id, 'create', job.first, '1', '', '0', '1', job.now, t, o, g, area, ms_text,
            ms_text, '', '', '' }
    end
    local m, d = { type = t, owner = o, org = g, area = area, created = c, updated = u > 0 and u or c,
        revision = v, withdrawn = w, serial = n }, load(h[2])
    if d.entry ~= entry and (d.entry or c ~= ms) then
        push(ctx.done, job.system, entry) -- an entry its delivery does not know
        return nil
    end
    d.entry = entry
    local op = d.letter == 'q' and operation(d, m)
    if op then
        return claim_queued(ctx, job, entry, id, d, m, op)
    end
    local item = claim_other(ctx, job, entry, id, d, m)
    call('HSET', ctx.r .. id, job.number, packed(ctx, job.system, d, m.serial))
    return item
end

local function due_next(p, system)
    local first = call('ZRANGE', p .. ':z:' .. system, 0, 0, 'WITHSCORES')
    return first[2] or '0'
end

local function claim(p, a)
    local ctx, system = open(p), check_system(a[1])
    local most = integer(a[4], 1, BATCH_MAX, 'max')
    local number, lease = owner(ctx, system, a[3])
    if not lease then
        return { 'fenced' }
    end
    local now = text(ctx.now)
    local job = { system = system, number = number, epoch = lease.epoch, each = a[5] == '1',
        token = a[3] .. '.', tail = '.' .. now, first = a[3] .. '.1.' .. now, now = now, begun = 0,
        ms = lease.ms, serial = lease.serial, plain = ctx.upto[system] == 0 }
    local out, entries = { 'ok', now, '0' }, read_group(ctx, system, a[2], most, lease)
    local n, last = 3, nil
    for i = 1, #entries do
        last = entries[i][1]
        local item = claim_entry(ctx, job, last)
        if item then
            n = n + 1
            out[n] = item
        end
    end
    if last then
        local ms, serial = match(last, '^(%d+)%-(%d+)$')
        ms, serial = tonumber(ms), tonumber(serial)
        if beyond(ms, serial, lease.ms, lease.serial) then
            lease.ms, lease.serial = ms, serial
        end
        lease.each, lease.at = job.each, ctx.now
        write_lease(p, system, lease)
        count(ctx, system, 's', job.begun)
    end
    flush(ctx)
    out[3] = due_next(p, system)
    return out
end

-- Settle: one function per verdict. d has its problem and evidence set; it was in flight with an
-- attempt (letter s) or a look (u, c).

-- What the engine found out by itself leaves `unknown` with an entry, too: nothing does without.
local function leave_unknown(ctx, item, d, what)
    if d.letter == 'u' then
        audit(ctx, 'engine', what, item.id, item.system, 'looked up: ' .. item.verdict)
    end
end

local function stay(ctx, item, d, letter)
    turn(ctx, item.system, d, item.serial, letter)
    if item.delay < 0 and RESTING[letter] then
        return rest(d, -1)
    end
    delay(ctx, item.system, d, item.serial, item.delay)
end

local function no_evidence(ctx, item, d)
    d.problem = problem_code('no_evidence', ctx.now)
    turn(ctx, item.system, d, item.serial, 'u')
    rest(d, -1)
end

-- Evidence: what a system has (ok), took without a number yet (taken) or refused, by an attempt (op c u w) or as a look has found (l).
local function tell(ctx, id, op, revision, outcome, number, request, answer)
    local list = ctx.told
    local n = #list
    list[n + 1], list[n + 2], list[n + 3], list[n + 4] = id, op, revision, outcome
    list[n + 5], list[n + 6], list[n + 7] = number, request, answer
end

local function told(ctx, item, d, revision, outcome)
    tell(ctx, item.id, d.letter == 's' and d.op or 'l', revision, outcome, d.number, item.request,
        item.digest)
end

-- For the reports: what a system got for the first time, with how many fields; an update is one more.
local function arrived(ctx, item, op, type, sent)
    local of = item.system .. ':' .. type
    note(ctx, (op == 'c' and 'arrived:' or 'changed:') .. of, 1)
    if sent and op == 'c' and item.fields > 0 then
        note(ctx, 'fields:' .. of, item.fields)
    end
end

local VERDICT = {}

function VERDICT.d(ctx, item, d, m)
    if d.letter == 's' and d.op == 'w' then
        return VERDICT.w(ctx, item, d, m)
    elseif item.number == '' and item.digest == '' and d.number == '' then
        return no_evidence(ctx, item, d)
    end
    leave_unknown(ctx, item, d, 'found')
    d.has = min(item.revision > 0 and item.revision or d.rev, m.revision)
    d.problem = ''
    told(ctx, item, d, d.has, 'ok')
    count(ctx, item.system, 'ok', 1)
    arrived(ctx, item, d.op, m.type, d.letter == 's')
    onward(ctx, item.system, d, item.serial, m)
end

function VERDICT.r(ctx, item, d)
    leave_unknown(ctx, item, d, 'repeat')
    stay(ctx, item, d, 'r')
end

function VERDICT.p(ctx, item, d)
    stay(ctx, item, d, d.letter == 's' and 'q' or d.letter)
end

function VERDICT.c(ctx, item, d, m)
    leave_unknown(ctx, item, d, 'taken')
    if d.letter == 's' then
        told(ctx, item, d, d.rev, 'taken')
    end
    if d.letter == 's' and d.op == 'c' and item.fields > 0 then
        note(ctx, 'fields:' .. item.system .. ':' .. m.type, item.fields)
    end
    stay(ctx, item, d, 'c')
end

function VERDICT.u(ctx, item, d)
    stay(ctx, item, d, 'u')
end

function VERDICT.a(ctx, item, d, m)
    d.has = max(d.has, min(item.revision, m.revision)) -- an older revision is there: update it
    if d.op == 'w' or (m.withdrawn > 0 and d.has == 0) then
        return VERDICT.w(ctx, item, d, m)
    end
    leave_unknown(ctx, item, d, 'absent')
    turn(ctx, item.system, d, item.serial, 'q')
    ready(ctx, item.system, d, item.serial)
end

local function bury(ctx, item, d, m)
    if m.withdrawn > 0 and d.has == 0 then
        return VERDICT.w(ctx, item, d, m)
    end
    leave_unknown(ctx, item, d, 'settled')
    rest(d)
    turn(ctx, item.system, d, item.serial, item.verdict)
end

function VERDICT.j(ctx, item, d, m)
    told(ctx, item, d, d.rev, 'refused')
    if d.rev < m.revision and m.withdrawn == 0 then -- another revision is wanted: that one may pass
        leave_unknown(ctx, item, d, 'settled')
        d.tries = 0
        turn(ctx, item.system, d, item.serial, 'q')
        return ready(ctx, item.system, d, item.serial)
    end
    bury(ctx, item, d, m)
end

VERDICT.x, VERDICT.h = bury, bury

function VERDICT.w(ctx, item, d, m)
    if m.withdrawn == 0 then -- gone there though nobody withdrew it here: a person looks
        d.problem = problem_code('not_withdrawn_here', ctx.now)
        turn(ctx, item.system, d, item.serial, 'u')
        return rest(d, -1)
    end
    if item.verdict == 'd' or item.verdict == 'w' then -- else it never was there
        told(ctx, item, d, d.rev, 'ok')
    end
    leave_unknown(ctx, item, d, 'withdrawn')
    d.has = 0
    onward(ctx, item.system, d, item.serial, m)
end

local function whole(s)
    return s == '0' and 0 or tonumber(s)
end

local ITEM = 10 -- arguments

-- Items from a[from] on; all are checked before the first one counts.
local function check_items(a, from)
    local before = from - 1
    if #a < before or (#a - before) % ITEM ~= 0 or #a > before + ITEM * BATCH_MAX then
        fail('bad settle')
    end
    for i = from, #a, ITEM do
        local revision, delay_ms = whole(a[i + 4]), whole(a[i + 7])
        if #a[i + 1] ~= 26 or not VERDICT[sub(a[i + 3], 1, 1)] or find(a[i + 3], '%D', 2)
            or #a[i + 3] > 5 or not revision or revision < 0
            or not delay_ms or delay_ms < -1 or delay_ms > 1e12 then
            fail('bad item in settle')
        end
    end
end

local function apply(ctx, item, d, m)
    if item.number ~= '' then
        d.number = item.number
    end
    if item.digest ~= '' then
        d.digest = digest_in(item.digest)
    end
    if item.problem ~= '' then
        d.problem = item.problem
    end
    if item.verdict ~= 'p' then
        if d.letter == 's' then
            d.tries, d.looks = d.tries + 1, 0
            count(ctx, item.system, 'attempts', 1)
        else
            d.looks = d.looks + 1
        end
    end
    VERDICT[item.verdict](ctx, item, d, m)
end

-- A new record's first attempt has ended well, and nothing came between.
local function settle_first(ctx, job, item, key, m, sent)
    local number, digest = item.number, item.digest
    job.ended = job.ended + 1
    tell(ctx, item.id, 'c', 1, 'ok', number, item.request, digest)
    arrived(ctx, item, 'c', m.type, true)
    job.done[#job.done + 1] = item.entry
    call('HSET', key, job.number, pack('d', 1, 1, '', 0, 1, sent, 1, 0, 'c', number,
        digest == '' and '' or digest_in(digest)))
    return 'ok'
end

-- Whether the token is that of the attempt in flight; 'ok': it was settled before.
local function attempt_of(job, item, d, m)
    local seq, sent = match(item.token, '^(%d+)%.(%d+)$', job.after)
    seq = tonumber(seq)
    if not seq or sub(item.token, 1, job.after - 1) ~= job.prefix then
        return 'fenced'
    elseif d.epoch > 0 then
        return seq == d.seq and item.entry == d.entry or 'fenced'
    elseif seq == d.seq then
        return 'ok' -- the same item again
    end
    fly(d, m, job.lease)
    if not d.flown or seq ~= d.seq or item.entry ~= d.entry then
        return 'fenced'
    end
    d.sent = tonumber(sent)
    return true
end

-- → the answer, and whether it was this very call that settled it
local function settle_item(ctx, job, item)
    local key = ctx.r .. item.id
    local h = call('HMGET', key, 'm', job.number)
    if not h[2] then
        return 'fenced'
    end
    local m = load_head(h[1])
    if h[2] == 'q' and item.verdict == 'd' and item.revision <= 1 and m.revision == 1
        and m.withdrawn == 0 and job.plain and (item.number ~= '' or item.digest ~= '') then
        local ms, serial = match(item.entry, '^(%d+)%-(%d+)$')
        local sent = match(item.token, '^1%.(%d+)$', job.after)
        if sent and tonumber(ms) == m.created and tonumber(serial) == m.serial
            and sub(item.token, 1, job.after - 1) == job.prefix
            and not beyond(m.created, m.serial, job.lease.ms, job.lease.serial) then
            return settle_first(ctx, job, item, key, m, tonumber(sent)), true
        end
    end
    local d = load_placed(h[2], m)
    local found = attempt_of(job, item, d, m)
    if found ~= true then
        return found
    end
    item.serial = m.serial
    push(ctx.done, item.system, item.entry)
    apply(ctx, item, d, m)
    call('HSET', key, job.number, packed(ctx, item.system, d, m.serial))
    return 'ok', true
end

-- Items from a[from] on; traces: number of the item → what its attempt sent and got.
local function settle_from(p, a, from, traces)
    local ctx, system, out = open(p), check_system(a[1]), {}
    check_items(a, from)
    local number, lease = owner(ctx, system, a[3])
    if not lease then
        return { 'fenced' }
    end
    local job = { number = number, lease = lease, prefix = a[3] .. '.', after = #a[3] + 2,
        plain = ctx.upto[system] == 0, ended = 0, done = {} }
    local item = { system = system } -- one for all: most batches are long and plain
    for i = from, #a, ITEM do
        item.entry, item.id, item.token, item.verdict = a[i], a[i + 1], a[i + 2], a[i + 3]
        item.fields = 0
        if #item.verdict > 1 then
            item.fields = tonumber(sub(item.verdict, 2))
            item.verdict = sub(item.verdict, 1, 1)
        end
        item.revision, item.number, item.digest = whole(a[i + 4]), a[i + 5], a[i + 6]
        item.delay, item.problem, item.request = whole(a[i + 7]), a[i + 8], a[i + 9]
        local word, fresh = 'fenced', false
        if number then
            word, fresh = settle_item(ctx, job, item)
        end
        out[#out + 1] = word
        if fresh and traces and traces[#out] then
            keep_trace(ctx, item.id, number, traces[#out])
        end
    end
    if ctx.told[1] then
        call('XADD', p .. ':settled', '*', system, pack(ctx.told))
    end
    if job.ended > 0 then
        for _, name in ipairs({ 'd', 'ok', 'attempts' }) do
            count(ctx, system, name, job.ended)
        end
        count(ctx, system, 's', -job.ended)
        bulk('XDEL', p .. ':q:' .. system, nil, job.done)
    end
    flush(ctx)
    return out
end

local function settle(p, a)
    return settle_from(p, a, 4)
end

local function settle_kept(p, a)
    local n, traces = integer(a[4], 1, BATCH_MAX, 'traces'), {}
    for i = 5, 4 + 2 * n, 2 do
        local at = integer(a[i], 1, BATCH_MAX, 'item')
        if not a[i + 1] or a[i + 1] == '' or #a[i + 1] > TRACE_BYTES then
            fail('bad trace')
        end
        traces[at] = a[i + 1]
    end
    return settle_from(p, a, 5 + 2 * n, traces)
end

local function due(p, a)
    local ctx, system = open(p), check_system(a[1])
    local most, key = integer(a[2], 1, BATCH_MAX, 'max'), p .. ':z:' .. system
    local number, moved = call('HGET', p .. ':num', system), 0
    for _, serial in ipairs(call('ZRANGEBYSCORE', key, '-inf', ctx.now, 'LIMIT', 0, most)) do
        serial = tonumber(serial)
        local id, m, d = delivery_of(ctx, number, serial)
        if d and d.due > 0 then
            ready(ctx, system, d, serial)
            store_delivery(ctx, system, id, number, m, d)
            moved = moved + 1
        end
        push(ctx.zrem, key, serial)
    end
    flush(ctx)
    return { text(moved), due_next(p, system) }
end

-- Attempts that are counted as sending though nothing is in flight any more: their entries are gone.
local function missing(ctx, system, lease)
    if beyond(lease.ms, lease.serial, lease.from_ms, lease.from_serial) then
        return 0
    end
    local moved = ctx.counts[system] and ctx.counts[system].s or 0
    return max(tonumber(call('HGET', ctx.p .. ':n:' .. system, 's') or 0) + moved, 0)
end

local function reclaim(p, a)
    local ctx, system = open(p), check_system(a[1])
    local idle, most = integer(a[4], 0, 1e12, 'idle'), integer(a[5], 1, BATCH_MAX, 'max')
    local number, lease = owner(ctx, system, a[3])
    if not lease then
        return { 'fenced' }
    elseif ctx.now - lease.at < idle then
        return { '0', '0' }
    end
    local page = call('XRANGE', p .. ':q:' .. system, '-',
        entry_id(lease.from_ms, lease.from_serial), 'COUNT', most)
    local taken = 0
    for i = 1, #page do
        local entry = page[i][1]
        local id, m, d = delivery_of(ctx, number, tonumber(match(entry, '%d+$')))
        if not d or d.entry ~= entry then
            push(ctx.done, system, entry)
        else
            fly(d, m, lease)
            taken = taken + 1
            abandon(ctx, system, number, id, m, d)
        end
    end
    local lost = #page < most and missing(ctx, system, lease) or 0
    flush(ctx)
    return { text(taken), text(lost) }
end

register('ym_attach', { 'allow-oom' }, attach)
register('ym_claim', { 'allow-oom' }, claim)
register('ym_settle', { 'allow-oom' }, settle)
register('ym_settle_kept', { 'allow-oom' }, settle_kept)
register('ym_due', { 'allow-oom' }, due)
register('ym_reclaim', { 'allow-oom' }, reclaim)

end
