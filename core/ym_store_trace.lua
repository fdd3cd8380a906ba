-- SPDX-License-Identifier: Apache-2.0
-- What attempts sent and got, read again; the contract is ym_store_trace.h (a part of ym_store.lua).
do

local function attempts(p, a)
    local number = call('HGET', p .. ':num', check_system(a[2]))
    if not number or call('HEXISTS', p .. ':r:' .. check_id(a[1]), number) == 0 then
        return false
    end
    local kept, out = call('LRANGE', trace_key(p, a[1], number), 0, -1), {}
    for i = #kept, 1, -1 do
        out[#out + 1] = kept[i]
    end
    return out
end

-- Key rotation: one of a list, by its place.
local function reseal_attempt(p, a)
    local key = p .. ':t:' .. (a[1] or '')
    if #a ~= 4 or not match(a[1], '^[%w:]+$') or not match(a[2], '^%d+$') or a[4] == '' then
        fail('bad reseal')
    end
    if call('LINDEX', key, a[2]) ~= a[3] then
        return { 'changed' }
    end
    call('LSET', key, a[2], a[4])
    return { 'kept' }
end

register('ym_attempts', { 'no-writes' }, attempts)
register('ym_reseal_attempt', {}, reseal_attempt)

end
