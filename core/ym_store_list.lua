-- SPDX-License-Identifier: Apache-2.0
-- Listing: newest first by id, filters with bounded steps (a part of ym_store.lua).
do

local function list_filters(a)
    local f, bound = { keys = {} }, nil
    for i = 4, #a, 2 do
        local name, value = a[i], a[i + 1]
        if not value then
            fail('filter without a value')
        elseif name == 'from' or name == 'to' then
            f[name] = integer(value, 0, 1e15, name)
        elseif name == 'state' then
            f.state = WORDS[value] or value
        elseif sub(name, 1, 4) == 'key:' then
            f.keys[#f.keys + 1] = { key_field(sub(name, 5), value) }
        elseif name == 'type' or name == 'system' or name == 'area' or name == 'owner'
            or name == 'scope_area' or name == 'scope_owner' then
            f[name] = value
        else
            fail('unknown filter ' .. name)
        end
    end
    bound = f.state and find(f.state, '[^qsdrcujxhw]')
    if bound then
        fail('unknown state')
    end
    return f
end

local function begins(s, prefix)
    return sub(s, 1, #prefix) == prefix
end

local function in_scope(m, f)
    if f.scope_area or f.scope_owner then
        return (f.scope_owner and m.owner == f.scope_owner)
            or (f.scope_area and begins(m.area, f.scope_area))
    end
    return true
end

local function matches(rec, f, names)
    local m = rec.meta
    if (f.type and m.type ~= f.type) or (f.owner and m.owner ~= f.owner)
        or (f.area and not begins(m.area, f.area)) or not in_scope(m, f) then
        return false
    end
    for _, key in ipairs(f.keys) do -- a revision has other keys than its record was found by
        local found = not rec.keys
        for i = 1, #(rec.keys or ''), KEY_FIELD do
            found = found or sub(rec.keys, i, i + KEY_FIELD - 1) == key[2]
        end
        if not found then
            return false
        end
    end
    if not f.state and not f.system then
        return true
    end
    for number, d in pairs(rec.deliveries) do
        if (not f.system or names[number] == f.system)
            and (not f.state or find(f.state, d.letter, 1, true)) then
            return true
        end
    end
    return false
end

-- Serials that alone can match, when a search key or an exceptional state makes them few, else nil.
local function list_direct(ctx, f, names)
    local key, out = f.keys[1], {}
    if key then
        local list = call('HGET', ctx.p .. key[1], key[2]) or ''
        return list ~= '+' and serials_of(list) or nil
    end
    if not f.state or find(f.state, '[^rujxh]') then
        return nil
    end
    local sets, total = {}, 0
    for _, name in pairs(names) do
        for letter in gmatch((not f.system or f.system == name) and f.state or '', '.') do
            sets[#sets + 1] = ctx.p .. ':x:' .. name .. ':' .. letter
            total = total + call('ZCARD', sets[#sets])
        end
    end
    if total > DIRECT_MAX then
        return nil
    end
    local seen = {}
    for _, set in ipairs(sets) do
        for _, serial in ipairs(call('ZRANGE', set, 0, -1)) do
            if not seen[serial] then
                seen[serial] = true
                out[#out + 1] = tonumber(serial)
            end
        end
    end
    return out
end

local function area_index(area)
    for _, level in ipairs(AREA_LEVELS) do
        if #area >= level then
            return ':ix:p:' .. sub(area, 1, level)
        end
    end
    return ':ix:a'
end

local function list_sources(f)
    if f.keys[1] then
        return { { key = f.keys[1][3], set = true } }
    elseif f.owner then
        return { { key = ':ix:o:' .. f.owner } }
    elseif f.scope_owner and f.scope_area and area_index(f.scope_area) ~= ':ix:a' then
        return { { key = ':ix:o:' .. f.scope_owner }, { key = area_index(f.scope_area) } }
    elseif f.scope_owner and not f.scope_area then
        return { { key = ':ix:o:' .. f.scope_owner } }
    elseif area_index(f.area or f.scope_area or '') ~= ':ix:a' then
        return { { key = area_index(f.area or f.scope_area) } }
    end
    return { { key = ':ix:a' } }
end

-- The next entry of a source, newest first, as ms and serial in source.ms, source.serial.
local function advance(ctx, source, from)
    source.i = (source.i or 0) + 1
    if not source.page or (source.i > #source.page and #source.page == BATCH_MAX / 10) then
        local key, size = ctx.p .. source.key, BATCH_MAX / 10
        source.page, source.i = {}, 1
        if source.set then
            source.skip = source.skip and source.skip + size or 0
            local flat = call('ZREVRANGEBYSCORE', key, from, '-inf', 'WITHSCORES',
                'LIMIT', source.skip, size)
            for i = 1, #flat, 2 do
                source.page[#source.page + 1] = { tonumber(flat[i + 1]), tonumber(flat[i]) }
            end
        else
            local last = source.serial and '(' .. text(source.ms) .. '-' .. text(source.serial)
            for i, e in ipairs(call('XREVRANGE', key, last or from, '-', 'COUNT', size)) do
                local ms, serial = match(e[1], '^(%d+)%-(%d+)$')
                source.page[i] = { tonumber(ms), tonumber(serial) }
            end
        end
    end
    local item = source.page[source.i]
    source.ms, source.serial = item and item[1], item and item[2]
end

-- Newest over all sources; the same record standing in two of them comes once.
local function next_entry(ctx, sources, from)
    local best
    for _, s in ipairs(sources) do
        if s.ms == nil and not s.page then
            advance(ctx, s, from)
        end
        if s.ms and (not best or s.ms > best.ms
            or (s.ms == best.ms and s.serial > best.serial)) then
            best = s
        end
    end
    if not best then
        return nil
    end
    local ms, serial = best.ms, best.serial
    for _, s in ipairs(sources) do
        if s.ms == ms and s.serial == serial then
            advance(ctx, s, from)
        end
    end
    return ms, serial
end

local function list_try(ctx, q, id)
    if (q.before ~= '' and id >= q.before) or q.seen[id] then
        return
    end
    q.seen[id] = true -- ids that stray far stand in a key's set and among the late ones
    q.looked = q.looked + 1
    local ms = id_time(id)
    if (q.f.from and ms < q.f.from) or (q.f.to and ms >= q.f.to) then
        return
    end
    local rec = load_record(ctx.p, id, q.crew)
    if rec and matches(rec, q.f, q.names) then
        q.found[#q.found + 1] = { id = id, ms = ms, rec = rec }
    end
end

local function above(found, bound)
    local n = 0
    for _, row in ipairs(found) do
        if row.ms > bound then
            n = n + 1
        end
    end
    return n
end

-- Walks the indexes until enough is surely found. → the ms at or below which ids may be unseen, or
-- nil when all was seen.
local function list_walk(ctx, q, sources, ahead, behind)
    local before_ms, from = q.before ~= '' and id_time(q.before), '+'
    local start = min(before_ms or 1e15, q.f.to or 1e15)
    if start < 1e15 then
        from = text(start + ahead)
    elseif sources[1].set then
        from = '+inf'
    end
    local last
    while true do
        local ms, serial = next_entry(ctx, sources, from)
        if not ms or (q.f.from and ms < q.f.from - behind) then
            return nil
        end
        local bound = ms + behind
        if last and ms < last and (not before_ms or bound + 1 < before_ms)
            and (q.looked >= q.steps or above(q.found, bound) >= q.limit) then
            return bound
        end
        last = ms
        local id = id_of(ctx, serial)
        if id then
            list_try(ctx, q, id)
        end
    end
end

-- Ids that strayed far from the clock stand apart, in order. → the lowest id looked at if cut short
local function list_late(ctx, q)
    local high = q.before ~= '' and '(' .. q.before or '+'
    local late = call('ZREVRANGEBYLEX', ctx.p .. ':ix:late', high, '-', 'LIMIT', 0, q.steps)
    for _, id in ipairs(late) do
        list_try(ctx, q, id)
    end
    return #late == q.steps and late[#late] or nil
end

local function list_direct_walk(ctx, q, serials)
    local ids = {}
    for _, serial in ipairs(serials) do
        ids[#ids + 1] = id_of(ctx, serial)
    end
    table.sort(ids, function(x, y) return x > y end)
    for i, id in ipairs(ids) do
        list_try(ctx, q, id)
        if i < #ids and (q.looked >= q.steps or #q.found >= q.limit) then
            return id
        end
    end
    return nil
end

local function list(p, a)
    local q = { before = a[1] or '', limit = integer(a[2], 1, 1000, 'limit'), found = {},
        seen = {}, looked = 0, steps = integer(a[3], 1, 100000, 'steps'), f = list_filters(a),
        crew = crew_of(p) }
    q.names = q.crew.names
    if q.before ~= '' then
        check_id(q.before)
    end
    local ctx, cut = open(p), nil
    local direct = list_direct(ctx, q.f, q.names)
    if direct then
        cut = list_direct_walk(ctx, q, direct)
    else
        local stray = call('HMGET', p .. ':c', 'a', 'b')
        local late = list_late(ctx, q)
        q.looked = 0
        local bound = list_walk(ctx, q, list_sources(q.f), tonumber(stray[1] or 0),
            tonumber(stray[2] or 0))
        cut = bound and id_floor(bound + 1)
        if late and (not cut or late > cut) then
            cut = late
        end
    end
    table.sort(q.found, function(x, y) return x.id > y.id end)
    local out = { '' }
    for _, row in ipairs(q.found) do
        if cut and row.id < cut then
            break
        end
        if #out > q.limit then
            cut = nil
            out[1] = out[#out][1]
            break
        end
        local line = render(p, row.rec, q.names)
        table.insert(line, 1, row.id)
        out[#out + 1] = line
    end
    if cut and out[1] == '' then
        out[1] = cut
    end
    return out
end

register('ym_list', { 'no-writes' }, list)

end
