-- SPDX-License-Identifier: Apache-2.0
-- The worker's side: attach, claim, settle, due, reclaim (a part of ym_store.lua).
do

local function attach(p, a)
    local system, consumer = check_system(a[1]), a[2]
    if #a ~= 2 or consumer == '' then
        fail('bad attach')
    end
    local made = redis.pcall('XGROUP', 'CREATE', p .. ':q:' .. system, GROUP, '0', 'MKSTREAM')
    if made.err and not find(made.err, 'BUSYGROUP', 1, true) then
        return made
    end
    local epoch = call('HINCRBY', p .. ':n:' .. system, 'epoch', 1)
    call('HSET', p .. ':n:' .. system, 'consumer', consumer)
    return { text(epoch) }
end

-- → the number of the system in this shard, and whether this epoch still owns its queue
local function owner(ctx, system, epoch)
    local n = call('HMGET', ctx.p .. ':n:' .. system, 'epoch', 'upto')
    ctx.upto[system] = tonumber(n[2] or 0)
    return call('HGET', ctx.p .. ':num', system), n[1] == epoch
end

local function read_group(ctx, system, consumer, most)
    local key = ctx.p .. ':q:' .. system
    local got = redis.pcall('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', most,
        'STREAMS', key, '>')
    if got and got.err then
        if not find(got.err, 'NOGROUP', 1, true) then
            error(got)
        end
        regroup(ctx, system)
        got = call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', most, 'STREAMS', key, '>')
    end
    return got and got[1][2] or {}
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

-- Starts an attempt or a look.
local function take(ctx, job, entry, id, d, m, latest)
    local op, look = operation(d, m), false
    if not op then
        push(ctx.done, job.system, entry)
        onward(ctx, job.system, d, m.serial, m)
        return nil
    end
    d.epoch, d.seq = job.epoch, d.seq + 1
    if op == 'l' then
        look = true
    else
        turn(ctx, job.system, d, m.serial, 's')
        d.op, d.sent, d.rev = op, ctx.now, m.revision
        if job.each and op ~= 'w' then
            d.rev = d.has + 1
        end
    end
    local created = m.created == job.last_ms and job.last_text or text(m.created)
    job.last_ms, job.last_text = m.created, created
    return { entry, id, OPS[op] or 'lookup', job.token .. text(d.seq),
        text(look and d.looks + 1 or d.tries + 1), d.number, text(d.has), text(d.rev),
        look and text(d.sent) or job.now, m.type, m.owner, m.org, m.area, created,
        m.updated == m.created and created or text(m.updated),
        d.rev == m.revision and latest or envelope_of(ctx.p, id, m, latest, d.rev),
        look and OPS[d.op] or '', look and d.letter or '' }
end

local function claim_entry(ctx, job, entry)
    local ms, serial = match(entry, '^(%d+)%-(%d+)$')
    local id = id_of(ctx, tonumber(serial))
    local h = id and call('HMGET', ctx.r .. id, 'm', 'b', job.number)
    if not h or not h[3] then
        push(ctx.done, job.system, entry)
        return nil
    end
    local m = load_meta(h[1])
    local d = load(h[3])
    if d.entry ~= entry and (d.entry or m.created ~= tonumber(ms)) then
        push(ctx.done, job.system, entry) -- an entry its delivery does not know
        return nil
    end
    d.entry = entry
    if d.epoch > 0 then -- offered again after a lost group, while an attempt is in flight
        if d.epoch == job.epoch then
            return nil
        end
        if d.letter == 's' then
            d.tries, d.looks = d.tries + 1, 0
            turn(ctx, job.system, d, m.serial, 'u')
        end
    end
    local item = take(ctx, job, entry, id, d, m, h[2])
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
    local number, owned = owner(ctx, system, a[3])
    if not owned then
        return { 'fenced' }
    end
    local job = { system = system, number = number, epoch = tonumber(a[3]), each = a[5] == '1',
        token = a[3] .. '.', now = text(ctx.now) }
    local out = { 'ok', job.now, '0' }
    for _, e in ipairs(read_group(ctx, system, a[2], most)) do
        out[#out + 1] = claim_entry(ctx, job, e[1])
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
    count(ctx, item.system, 'ok', 1)
    onward(ctx, item.system, d, item.serial, m)
end

function VERDICT.r(ctx, item, d)
    leave_unknown(ctx, item, d, 'repeat')
    stay(ctx, item, d, 'r')
end

function VERDICT.p(ctx, item, d)
    stay(ctx, item, d, d.letter == 's' and 'q' or d.letter)
end

function VERDICT.c(ctx, item, d)
    leave_unknown(ctx, item, d, 'taken')
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
    leave_unknown(ctx, item, d, 'withdrawn')
    d.has = 0
    onward(ctx, item.system, d, item.serial, m)
end

local function whole(s)
    return s == '0' and 0 or tonumber(s)
end

-- Nine arguments an item, from a[4] on; all are checked before the first one counts.
local function check_items(a)
    if #a < 3 or (#a - 3) % 9 ~= 0 or #a > 3 + 9 * BATCH_MAX then
        fail('bad settle')
    end
    for i = 4, #a, 9 do
        local revision, delay_ms = whole(a[i + 4]), whole(a[i + 7])
        if #a[i + 1] ~= 26 or not VERDICT[a[i + 3]] or not revision or revision < 0
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

-- prefix: of this epoch's tokens
local function settle_item(ctx, item, entry, token, number, prefix)
    local key = ctx.r .. item.id
    local h = call('HMGET', key, 'm', number)
    if not h[2] then
        return 'fenced'
    end
    local m, d = load_head(h[1]), load(h[2])
    if token ~= prefix .. text(d.seq) then
        return 'fenced'
    elseif d.epoch == 0 then
        return 'ok' -- the same item again
    elseif entry ~= d.entry then
        return 'fenced'
    end
    item.serial = m.serial
    push(ctx.done, item.system, entry)
    apply(ctx, item, d, m)
    call('HSET', key, number, packed(ctx, item.system, d, m.serial))
    return 'ok'
end

local function settle(p, a)
    local ctx, system, out = open(p), check_system(a[1]), {}
    check_items(a)
    local number, owned = owner(ctx, system, a[3])
    if not owned then
        return { 'fenced' }
    end
    local prefix = a[3] .. '.'
    local item = { system = system } -- one for all: most batches are long and plain
    for i = 4, #a, 9 do
        item.id, item.verdict, item.revision = a[i + 1], a[i + 3], whole(a[i + 4])
        item.number, item.digest, item.problem = a[i + 5], a[i + 6], a[i + 8]
        item.delay = whole(a[i + 7])
        out[#out + 1] = number and settle_item(ctx, item, a[i], a[i + 2], number, prefix)
            or 'fenced'
    end
    flush(ctx)
    return out
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

local function reclaim(p, a)
    local ctx, system = open(p), check_system(a[1])
    local idle, most = integer(a[4], 0, 1e12, 'idle'), integer(a[5], 1, BATCH_MAX, 'max')
    local number, owned = owner(ctx, system, a[3])
    if not owned then
        return { 'fenced' }
    end
    local key, from, taken, lost = p .. ':q:' .. system, '-', 0, 0
    while taken < most do
        local page = redis.pcall('XPENDING', key, GROUP, 'IDLE', idle, from, '+', most)
        if page.err then
            regroup(ctx, system)
            page = {}
        end
        for _, pending in ipairs(page) do
            local entry = pending[1]
            local id, m, d = delivery_of(ctx, number, tonumber(match(entry, '%d+$')))
            if not d or d.entry ~= entry then
                push(ctx.done, system, entry)
            elseif d.epoch ~= tonumber(a[3]) and taken < most then
                lost = lost + (#call('XRANGE', key, entry, entry) == 0 and 1 or 0)
                taken = taken + 1
                abandon(ctx, system, number, id, m, d)
            end
        end
        if #page < most then
            break
        end
        from = '(' .. page[#page][1]
    end
    flush(ctx)
    return { text(taken), text(lost) }
end

register('ym_attach', { 'allow-oom' }, attach)
register('ym_claim', { 'allow-oom' }, claim)
register('ym_settle', { 'allow-oom' }, settle)
register('ym_due', { 'allow-oom' }, due)
register('ym_reclaim', { 'allow-oom' }, reclaim)

end
