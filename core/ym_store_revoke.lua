-- SPDX-License-Identifier: Apache-2.0
-- Revoked tokens: what workers read in steps, each from where it stands. The contract is
-- ym_store_door.h.
do

local REVOKED_MAX = 30000      -- live entries: a worker's table must hold them all
local LIFE_MAX = 400 * DAY
local PRUNE = 200

local function revoke(p, a)
    local digest = a[1]
    if not digest or #digest ~= 64 or find(digest, '[^0-9a-f]') then
        fail('bad digest')
    end
    local life = integer(a[2], 1000, LIFE_MAX, 'life')
    local now = wall()
    local ends, order, last = p .. ':rve', p .. ':rv', p .. ':rvn'
    local old = call('ZRANGEBYSCORE', ends, '-inf', string.format('%d', now), 'LIMIT', 0, PRUNE)
    local live = call('ZCARD', ends) - #old
    if live >= REVOKED_MAX and not call('ZSCORE', ends, digest) then
        return { 'full' }
    end
    if #old > 0 then
        call('ZREM', ends, unpack(old))
        call('ZREM', order, unpack(old))
        call('HDEL', p .. ':rva', unpack(old))
    end
    local n = call('INCR', last)
    call('ZADD', order, n, digest)
    call('ZADD', ends, 'GT', string.format('%d', now + life), digest)
    call('HSET', p .. ':rva', digest, string.format('%d', now))
    return { 'revoked', string.format('%d', n) }
end

local function revoked(p, a)
    local since = integer(a[1], 0, 2 ^ 53, 'since')
    local most = integer(a[2], 1, BATCH_MAX, 'most')
    local last = tonumber(call('GET', p .. ':rvn') or '0')
    local out = { string.format('%d', last) }
    if since >= last then
        return out
    end
    local list = call('ZRANGEBYSCORE', p .. ':rv', '(' .. string.format('%d', since), '+inf',
        'WITHSCORES', 'LIMIT', 0, most)
    for i = 1, #list, 2 do
        out[#out + 1] = { list[i], list[i + 1], call('HGET', p .. ':rva', list[i]) or '0',
            call('ZSCORE', p .. ':rve', list[i]) or '0' }
    end
    return out
end

register('ym_revoke', { 'allow-oom' }, revoke)
register('ym_revoked', { 'no-writes' }, revoked)

end
