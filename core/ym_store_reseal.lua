-- SPDX-License-Identifier: Apache-2.0
-- Key rotation: what was sealed anew takes its place; the contract is ym_store_reseal.h (a part of
-- ym_store.lua).
do

local KINDS = { r = true, v = true, ac = true, se = true, sys = true, at = true }

local function reseal(p, a)
    if #a ~= 5 or not KINDS[a[1]] or not match(a[2], '^[%w%._%-]+$') or a[5] == '' then
        fail('bad reseal')
    end
    local key = p .. ':' .. a[1] .. ':' .. a[2]
    if call('HGET', key, a[3]) ~= a[4] then
        return { 'changed' }
    end
    call('HSET', key, a[3], a[5])
    return { 'kept' }
end

local function reseal_problem(p, a)
    local key = p .. ':r:' .. check_id(a[1])
    if #a ~= 4 or not match(a[2], '^%d+$') then
        fail('bad reseal')
    end
    local packed_delivery = call('HGET', key, a[2])
    local d = packed_delivery and #packed_delivery > 1 and load(packed_delivery)
    if not d or d.problem ~= a[3] then
        return { 'changed' }
    end
    d.problem = a[4]
    call('HSET', key, a[2], pack_delivery(d))
    return { 'kept' }
end

register('ym_reseal', {}, reseal)
register('ym_reseal_problem', {}, reseal_problem)

end
