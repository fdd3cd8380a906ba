-- SPDX-License-Identifier: Apache-2.0
-- What the reports count, read by day. The contract is ym_store_tally.h; the functions that accept,
-- revise, settle and sign in keep it.
do

local DAYS_MAX = 400

local function tallied(p, a)
    local from = integer(a[1], 0, 1e6, 'from')
    local to, out = integer(a[2], from, from + DAYS_MAX - 1, 'to'), {}
    for day = from, to do
        local row = call('HGETALL', p .. ':day:' .. text(day))
        if #row > 0 then
            table.insert(row, 1, text(day))
            out[#out + 1] = row
        end
    end
    return out
end

register('ym_tally', { 'no-writes' }, tallied)

end
