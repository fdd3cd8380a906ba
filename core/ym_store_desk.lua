-- SPDX-License-Identifier: Apache-2.0
-- What people do: retry, resolve, replay, pause; and what they look at (a part of ym_store.lua).
do

-- One delivery for a person's hand: → ctx, number, meta, delivery; or nil.
local function pick(p, id, system)
    local ctx = open(p)
    local number = call('HGET', p .. ':num', check_system(system))
    local h = number and call('HMGET', p .. ':r:' .. check_id(id), 'm', number)
    if not h or not h[2] then
        return nil
    end
    local m = load_head(h[1])
    local d = load_placed(h[2], m)
    fly(d, m, read_lease(p, system))
    return ctx, number, m, d
end

local function requeue(ctx, system, d, m)
    d.tries, d.looks, d.problem = 0, 0, ''
    fence(ctx, system, d, m.serial)
    if m.withdrawn > 0 and (d.has == 0 or d.wd == 2) then
        return onward(ctx, system, d, m.serial, m)
    end
    turn(ctx, system, d, m.serial, 'q')
    ready(ctx, system, d, m.serial)
end

local function retry(p, a)
    local ctx, number, m, d = pick(p, a[1], a[2])
    if not d then
        return { 'absent' }
    elseif d.letter ~= 'x' and d.letter ~= 'j' and d.letter ~= 'r' then
        return { 'refused', d.letter }
    end
    requeue(ctx, a[2], d, m)
    store_delivery(ctx, a[2], a[1], number, m, d)
    audit(ctx, a[3], 'retry', a[1], a[2], a[4] or '')
    flush(ctx)
    return { 'queued' }
end

local RESOLVE = {}

function RESOLVE.delivered(ctx, system, d, m, number, entry)
    local by_hand = d.letter == 'h' and d.wd == 2
    local sent = (d.letter == 'u' or d.letter == 'c') and d.op ~= 'w' and d.rev or 0
    fence(ctx, system, d, m.serial)
    d.problem = ''
    if number ~= '' then
        d.number = number
    end
    d.digest = digest_in('audit:' .. entry)
    if by_hand then
        d.has = 0 -- the person took it out there
    else
        d.has = sent > 0 and sent or m.revision
    end
    onward(ctx, system, d, m.serial, m)
end

function RESOLVE.resend(ctx, system, d, m)
    requeue(ctx, system, d, m)
end

function RESOLVE.rejected(ctx, system, d, m)
    fence(ctx, system, d, m.serial)
    d.problem = problem_code('rejected_by_person', ctx.now)
    if m.withdrawn > 0 and d.has == 0 then
        return onward(ctx, system, d, m.serial, m)
    end
    turn(ctx, system, d, m.serial, 'j')
end

local function resolve(p, a)
    local act = RESOLVE[a[3] or '']
    if not act or #a ~= 6 then
        fail('bad resolve')
    end
    local ctx, number, m, d = pick(p, a[1], a[2])
    if not d then
        return { 'absent' }
    elseif not find('uhcx', d.letter, 1, true) or (a[3] == 'resend' and d.hand == 1) then
        return { 'refused', d.letter }
    end
    local entry = audit(ctx, a[5], 'resolve ' .. a[3], a[1], a[2], a[6])
    act(ctx, a[2], d, m, a[4], entry)
    store_delivery(ctx, a[2], a[1], number, m, d)
    flush(ctx)
    return { 'resolved', d.letter }
end

local function check_letters(s, allowed)
    if not s or s == '' or find(s, '[^' .. allowed .. ']') then
        fail('bad letters')
    end
    return s
end

local function replay(p, a)
    local ctx, system = open(p), check_system(a[1])
    local letters, since = check_letters(a[2], 'xj'), integer(a[3], 0, 1e15, 'since')
    local most, dry = integer(a[4], 1, BATCH_MAX, 'max'), a[7] == '1'
    if #a ~= 7 then
        fail('bad replay')
    end
    local number, rows, more = call('HGET', p .. ':num', system), {}, 0
    for letter in gmatch(letters, '.') do
        local flat = call('ZRANGEBYSCORE', p .. ':x:' .. system .. ':' .. letter, since, '+inf',
            'WITHSCORES', 'LIMIT', 0, most + 1)
        for i = 1, #flat, 2 do
            rows[#rows + 1] = { tonumber(flat[i]), tonumber(flat[i + 1]), letter }
        end
    end
    table.sort(rows, function(x, y) return x[2] < y[2] or (x[2] == y[2] and x[1] < y[1]) end)
    local moved = 0
    for _, row in ipairs(rows) do
        local id, m, d = delivery_of(ctx, number, row[1])
        if d and d.letter == row[3] then
            if moved == most then
                more = 1
                break
            end
            moved = moved + 1
            if not dry then
                requeue(ctx, system, d, m)
                store_delivery(ctx, system, id, number, m, d)
                audit(ctx, a[5], 'replay', id, system, a[6])
            end
        end
    end
    flush(ctx)
    return { text(moved), text(more) }
end

-- Rows of all sets below a time, newest first; cut between two milliseconds.
local function newest_rows(sets, before, most)
    local rows = {}
    for _, set in ipairs(sets) do
        local flat = call('ZREVRANGEBYSCORE', set.key, before, '-inf', 'WITHSCORES',
            'LIMIT', 0, most + 1)
        for i = 1, #flat, 2 do
            local serial, since = tonumber(flat[i]), tonumber(flat[i + 1])
            rows[#rows + 1] = { serial = serial, since = since, set = set }
        end
    end
    table.sort(rows, function(x, y)
        return x.since > y.since or (x.since == y.since and x.serial > y.serial)
    end)
    if #rows <= most then
        return rows
    end
    local edge = rows[most + 1].since
    if edge == rows[1].since then -- one millisecond fills the page: all of it, whatever its length
        rows = {}
        for _, set in ipairs(sets) do
            for _, serial in ipairs(call('ZRANGEBYSCORE', set.key, edge, edge)) do
                rows[#rows + 1] = { serial = tonumber(serial), since = edge, set = set }
            end
        end
        return rows
    end
    while rows[#rows].since <= edge do
        rows[#rows] = nil
    end
    return rows
end

local function exceptions(p, a)
    local letters, most = check_letters(a[2], 'rujxh'), integer(a[4], 1, BATCH_MAX, 'max')
    local before = '+inf'
    if a[3] ~= '' and a[3] ~= '0' then
        before = '(' .. text(integer(a[3], 1, 1e15, 'before'))
    end
    local ctx, sets, numbers = open(p), {}, {}
    for number, name in pairs(system_names(p)) do
        if a[1] == '' or a[1] == name then
            numbers[name] = text(number)
            for letter in gmatch(letters, '.') do
                sets[#sets + 1] = { key = p .. ':x:' .. name .. ':' .. letter, name = name }
            end
        end
    end
    local out = {}
    for _, row in ipairs(newest_rows(sets, before, most)) do
        local id, _, d = delivery_of(ctx, numbers[row.set.name], row.serial)
        if d then
            out[#out + 1] = { id, row.set.name, d.letter, text(row.since), text(d.tries),
                d.problem }
        end
    end
    return out
end

-- Switches and reports of systems -----------------------------------------------------------------

local function switch(p, a, what, done)
    local ctx, system, key = open(p), check_system(a[1]), p .. ':sys:' .. a[1]
    if #a ~= 3 then
        fail('bad ' .. what)
    end
    if (call('HEXISTS', key, 'paused') == 1) == (what == 'pause') then
        return { 'already' }
    end
    if what == 'pause' then
        call('HSET', key, 'paused', '1', 'paused_by', a[2], 'paused_at', text(ctx.now),
            'paused_why', a[3])
    else
        call('HDEL', key, 'paused', 'paused_by', 'paused_at', 'paused_why')
    end
    call('XADD', p .. ':ctl:' .. system, 'MAXLEN', 16, '*', 'what', what)
    audit(ctx, a[2], what, '', system, a[3])
    return { done }
end

local function report(p, a)
    local key, set, gone = p .. ':sys:' .. check_system(a[1]), {}, {}
    if #a % 2 ~= 1 or #a > 129 then
        fail('bad report')
    end
    for i = 2, #a, 2 do
        if a[i] == '' or sub(a[i], 1, 6) == 'paused' then
            fail('bad field in report')
        elseif a[i + 1] == '' then
            gone[#gone + 1] = a[i]
        else
            set[#set + 1], set[#set + 2] = a[i], a[i + 1]
        end
    end
    if #set > 0 then
        call('HSET', key, unpack(set))
    end
    if #gone > 0 then
        call('HDEL', key, unpack(gone))
    end
    return { 'ok' }
end

local function systems(p, a)
    local out = {}
    for i, name in ipairs(a) do
        out[i] = call('HGETALL', p .. ':sys:' .. check_system(name))
        table.insert(out[i], 1, name)
    end
    return out
end

local function counts_of(p, name)
    local c, key = {}, p .. ':q:' .. name
    local values = call('HMGET', p .. ':n:' .. name, 'attempts', 'ok', unpack(CLASSES))
    for i, class_ in ipairs(CLASSES) do
        c[class_] = tonumber(values[i + 2] or 0)
    end
    local placed = call('XLEN', key) + call('ZCARD', p .. ':z:' .. name)
    local oldest = call('XRANGE', key, '-', '+', 'COUNT', 1)
    return { name, 'queued', text(placed - c.s - c.r - c.c - c.u), 'sending', text(c.s),
        'delivered', text(c.d), 'retrying', text(c.r), 'awaiting', text(c.c + c.C),
        'unknown', text(c.u + c.U), 'rejected', text(c.j), 'dead', text(c.x), 'handoff', text(c.h),
        'withdrawn', text(c.w), 'attempts', values[1] or '0', 'ok', values[2] or '0',
        'oldest_ms', oldest[1] and match(oldest[1][1], '^%d+') or '0' }
end

local function counts(p, a)
    local names, out = a, {}
    if #a == 0 then
        names = call('HKEYS', p .. ':num')
    end
    for i, name in ipairs(names) do
        out[i] = counts_of(p, check_system(name))
    end
    return out
end

local function audit_read(p, a)
    local most = integer(a[2], 1, 10000, 'max')
    local from = a[1] == '' and '-' or '(' .. (match(a[1], '^%d+%-%d+$') or fail('bad entry'))
    local out = {}
    for i, e in ipairs(call('XRANGE', p .. ':audit', from, '+', 'COUNT', most)) do
        local f = e[2]
        out[i] = { e[1], match(e[1], '^%d+'), f[2], f[4], f[6], f[8], f[10] }
    end
    return out
end

register('ym_retry', { 'allow-oom' }, retry)
register('ym_resolve', { 'allow-oom' }, resolve)
register('ym_replay', { 'allow-oom' }, replay)
register('ym_exceptions', { 'no-writes' }, exceptions)
register('ym_pause', { 'allow-oom' }, function(p, a) return switch(p, a, 'pause', 'paused') end)
register('ym_resume', { 'allow-oom' }, function(p, a) return switch(p, a, 'resume', 'resumed') end)
register('ym_report', { 'allow-oom' }, report)
register('ym_systems', { 'no-writes' }, systems)
register('ym_counts', { 'no-writes' }, counts)
register('ym_audit', { 'no-writes' }, audit_read)

end
