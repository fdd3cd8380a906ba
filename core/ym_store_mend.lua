-- SPDX-License-Identifier: Apache-2.0
-- Reconcile: compares what deliveries say with the streams, sorted sets and counters that serve
-- them, and mends the latter (a part of ym_store.lua). The hash of a record is the truth.
do

-- Records first, then what nobody refers to.
local STAGES = { 'n', 'q', 'z', 'xr', 'xu', 'xj', 'xx', 'xh' }

local function note(ctx, what, id, system)
    ctx.notes[#ctx.notes + 1] = { what, id, system }
end

-- A group that should be there and is not; what it had delivered is checked entry by entry later.
local function mend_group(ctx, system)
    if call('HEXISTS', ctx.p .. ':n:' .. system, 'epoch') == 0 then
        return
    end
    if not make_group(ctx, system, read_lease(ctx.p, system)).err then
        audit(ctx, 'store', 'group_recreated', '', system, 'found by reconcile')
        note(ctx, 'group_recreated', '', system)
    end
end

local function group_position(ctx, system)
    local groups = redis.pcall('XINFO', 'GROUPS', ctx.p .. ':q:' .. system)
    for _, g in ipairs(groups.err and {} or groups) do
        local field = {}
        for i = 1, #g, 2 do
            field[g[i]] = g[i + 1]
        end
        if field.name == GROUP then
            local ms, serial = match(field['last-delivered-id'], '^(%d+)%-(%d+)$')
            return { ms = tonumber(ms), serial = tonumber(serial) }
        end
    end
    return nil
end

local function system_view(ctx, system, number)
    local n = call('HMGET', ctx.p .. ':n:' .. system, 'epoch', 'upto')
    ctx.upto[system] = tonumber(n[2] or 0)
    return { name = system, number = text(number), epoch = tonumber(n[1] or 0),
        upto = tonumber(n[2]), last = group_position(ctx, system), shadow = {} }
end

local function stands(ctx, view, entry)
    return #call('XRANGE', ctx.p .. ':q:' .. view.name, entry, entry) > 0
end

-- In flight, but without its entry: no reclaim will find it.
local function mend_flight(ctx, view, id, m, d)
    if stands(ctx, view, d.entry) then
        return nil
    elseif d.epoch == view.epoch and d.letter == 's' and ctx.now - d.sent < LEASE_MAX then
        return nil -- its worker may be about to settle; should it die, a newer epoch comes
    end
    abandon(ctx, view.name, view.number, id, m, d)
    return 'attempt_lost'
end

-- Ready, but nobody will ever be offered it.
local function mend_ready(ctx, view, id, m, d)
    if d.entry ~= '' and stands(ctx, view, d.entry) then
        local last, ms = view.last, tonumber(match(d.entry, '^%d+'))
        if not last or ms > last.ms or (ms == last.ms and m.serial > last.serial) then
            return nil
        end
        push(ctx.done, view.name, d.entry)
    end
    ready(ctx, view.name, d, m.serial)
    store_delivery(ctx, view.name, id, view.number, m, d)
    return 'requeued'
end

local function mend_place(ctx, view, id, m, d)
    if d.epoch > 0 then
        return mend_flight(ctx, view, id, m, d)
    elseif d.due > 0 then
        local key = ctx.p .. ':z:' .. view.name
        if tonumber(call('ZSCORE', key, m.serial) or 0) ~= d.due then
            call('ZADD', key, d.due, m.serial)
            return 'delay_restored'
        end
        return nil
    elseif d.due == 0 and find('qruc', d.letter, 1, true) then
        return mend_ready(ctx, view, id, m, d)
    end
    return nil
end

local function mend_delivery(ctx, view, id, m, d)
    local what = mend_place(ctx, view, id, m, d)
    if what then
        note(ctx, what, id, view.name)
    end
    if EXCEPTIONAL[d.letter] then
        local key = ctx.p .. ':x:' .. view.name .. ':' .. d.letter
        if what ~= 'attempt_lost' and not call('ZSCORE', key, m.serial) then
            call('ZADD', key, ctx.now, m.serial)
            note(ctx, 'mark_restored', id, view.name)
        end
    end
    if d.was ~= 'q' then
        view.shadow[d.was] = (view.shadow[d.was] or 0) + 1
    end
end

-- The recount: a shadow of every counter, kept right behind the page by count() itself.
local function recount_start(ctx, view)
    for _, letter in ipairs(CLASSES) do
        call('HDEL', ctx.p .. ':n:' .. view.name, '~' .. letter)
    end
    call('HSET', ctx.p .. ':n:' .. view.name, 'upto', 1)
    view.upto, ctx.upto[view.name] = 1, 1
end

local function recount_page(ctx, view, from, to)
    if view.upto ~= from then
        return -- another pass crossed this one: that one will count
    end
    local key = ctx.p .. ':n:' .. view.name
    for letter, n in pairs(view.shadow) do
        call('HINCRBY', key, '~' .. letter, n)
    end
    call('HSET', key, 'upto', to)
    view.upto = to
end

local function recount_end(ctx, view, to)
    local key = ctx.p .. ':n:' .. view.name
    if view.upto ~= to then
        return
    end
    for _, letter in ipairs(CLASSES) do
        local h = call('HMGET', key, letter, '~' .. letter)
        if tonumber(h[1] or 0) ~= tonumber(h[2] or 0) then
            call('HSET', key, letter, h[2] or '0')
            note(ctx, 'counter_corrected', '', view.name)
        end
        call('HDEL', key, '~' .. letter)
    end
    call('HDEL', key, 'upto')
end

local function records_page(ctx, crew, from, most)
    local views, names = {}, crew.names
    for number, name in pairs(names) do
        if from == 1 then
            mend_group(ctx, name)
        end
        views[number] = system_view(ctx, name, number)
        if from == 1 then
            recount_start(ctx, views[number])
        end
    end
    local last = tonumber(call('HGET', ctx.p .. ':c', 'n') or 0)
    local to = min(from + most - 1, last)
    for serial = from, to do
        local id = id_of(ctx, serial)
        local rec = id and load_record(ctx.p, id, crew, true)
        for _, number in ipairs(rec and rec.numbers or {}) do
            if views[number] then
                mend_delivery(ctx, views[number], id, rec.meta, rec.deliveries[number])
            end
        end
    end
    flush(ctx)
    for _, view in pairs(views) do
        recount_page(ctx, view, from, to + 1)
        if to >= last then
            recount_end(ctx, view, to + 1)
        end
    end
    return to < last and text(to + 1) or nil
end

-- Entries whose delivery knows another place.
local function stream_page(ctx, system, number, after, most)
    local key, seen = ctx.p .. ':q:' .. system, nil
    local page = call('XRANGE', key, '(' .. after, '+', 'COUNT', most)
    for _, e in ipairs(page) do
        seen = e[1]
        local id, _, d = delivery_of(ctx, number, tonumber(match(seen, '%d+$')))
        if not d or d.entry ~= seen then
            push(ctx.done, system, seen)
            note(ctx, 'stale_entry', id or '', system)
        end
    end
    flush(ctx)
    return #page == most and seen or nil, #page
end

-- Members of a sorted set whose delivery is elsewhere. wrong(d) tells.
local function set_page(ctx, system, number, key, rank, most, what, wrong)
    local page, gone = call('ZRANGE', key, rank, rank + most - 1), 0
    for _, member in ipairs(page) do
        local id, _, d = delivery_of(ctx, number, tonumber(member) or 0)
        if not d or wrong(d) then
            call('ZREM', key, member)
            note(ctx, what, id or '', system)
            gone = gone + 1
        end
    end
    return #page == most and text(rank + most - gone) or nil, #page
end

local function stray_page(ctx, stage, system, number, pos, most)
    if stage == 'q' then
        return stream_page(ctx, system, number, pos, most)
    elseif stage == 'z' then
        return set_page(ctx, system, number, ctx.p .. ':z:' .. system, tonumber(pos), most,
            'stray_delay', function(d) return d.due <= 0 end)
    end
    local letter = sub(stage, 2)
    return set_page(ctx, system, number, ctx.p .. ':x:' .. system .. ':' .. letter, tonumber(pos),
        most, 'stray_mark', function(d) return d.letter ~= letter end)
end

local function start_of(stage)
    return stage == 'q' and '0-0' or '0'
end

local function strays(ctx, names, stage, number, pos, most)
    local index = 1
    while STAGES[index] ~= stage do
        index = index + 1
    end
    while names[number] do
        local next_pos, looked = stray_page(ctx, STAGES[index], names[number], text(number),
            pos, most)
        most = most - looked - 1
        if not next_pos then
            index = index + 1
            if index > #STAGES then
                index, number = 2, number + 1
            end
            next_pos = start_of(STAGES[index])
        end
        pos = next_pos
        if most <= 0 then
            return names[number] and STAGES[index] .. ':' .. number .. ':' .. pos or ''
        end
    end
    return ''
end

local function reconcile(p, a)
    local most = integer(a[2], 1, BATCH_MAX, 'max')
    local stage, number, pos = match(a[1] == '' and 'n:0:1' or a[1], '^(%l+):(%d+):([%d%-]+)$')
    local known = false
    for _, name in ipairs(STAGES) do
        known = known or name == stage
    end
    if not known or not match(pos, stage == 'q' and '^%d+%-%d+$' or '^%d+$') then
        fail('bad cursor')
    end
    local ctx, crew, cursor = open(p), crew_of(p), nil
    ctx.notes = { '' }
    if stage == 'n' then
        local next_serial = records_page(ctx, crew, tonumber(pos), most)
        cursor = next_serial and 'n:0:' .. next_serial or 'q:0:0-0'
    else
        cursor = strays(ctx, crew.names, stage, tonumber(number), pos, most)
    end
    ctx.notes[1] = cursor
    return ctx.notes
end

register('ym_reconcile', { 'allow-oom' }, reconcile)

end
