/* SPDX-License-Identifier: Apache-2.0
 * Declared state machines (ym_sm.h).
 */
#include "ym_sm.h"

#include "ym_log.h"

#ifdef YM_DEBUG
#include <stdlib.h>
#endif

static bool sm_fault(const struct ym_sm *m, const char *event, unsigned to)
{
    ym_log(YM_LOG_ERROR, event, "machine", m->table->name, "from", m->table->states[m->state].name,
           "to", to < m->table->count ? m->table->states[to].name : "outside", NULL);
#ifdef YM_DEBUG
    abort();
#endif
    return false;
}

void ym_sm_init(struct ym_sm *m, const struct ym_sm_table *table, unsigned first)
{
    m->table = table;
    m->state = first;
}

bool ym_sm_move(struct ym_sm *m, const void *owner, unsigned to)
{
    if (to >= m->table->count || (m->table->states[m->state].next & YM_SM_TO(to)) == 0) {
        return sm_fault(m, "sm.refused", to);
    }

    m->state = to;
    if (m->table->holds != NULL && !m->table->holds(owner, to)) {
        return sm_fault(m, "sm.invariant", to);
    }
    return true;
}

const char *ym_sm_name(const struct ym_sm *m)
{
    return m->table->states[m->state].name;
}

bool ym_sm_sound(const struct ym_sm_table *table, unsigned first)
{
    unsigned seen, grown;
    unsigned all = table->count == 32 ? ~0u : (1u << table->count) - 1;

    if (table->count == 0 || table->count > 32 || first >= table->count) {
        return false;
    }

    seen = YM_SM_TO(first);
    for (grown = 0; grown != seen;) {
        grown = seen;
        for (unsigned i = 0; i < table->count; i++) {
            if ((table->states[i].next & ~all) != 0) {
                return false;
            }
            if ((seen & YM_SM_TO(i)) != 0) {
                seen |= table->states[i].next;
            }
        }
    }
    return seen == all;
}
