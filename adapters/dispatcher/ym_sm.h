/* SPDX-License-Identifier: Apache-2.0
 * State machines as data: an enum, a table of allowed moves, an invariant. A state changes only
 * through ym_sm_move(), so the table is the drawing.
 */
#ifndef YM_SM_H
#define YM_SM_H

#include "ym_base.h"

struct ym_sm_state {
    const char *name;
    unsigned next; /* one bit per state that may follow: YM_SM_TO(a) | YM_SM_TO(b) */
};

#define YM_SM_TO(state) (1u << (state))

struct ym_sm_table {
    const char *name; /* in log lines: "attempt" */
    const struct ym_sm_state *states;
    unsigned count; /* at most 32 */
    /* What must hold in that state; asked after every move. MAY be NULL. */
    bool (*holds)(const void *owner, unsigned state);
};

struct ym_sm {
    const struct ym_sm_table *table;
    unsigned state;
};

void ym_sm_init(struct ym_sm *m, const struct ym_sm_table *table, unsigned first);

/*
 * False when the table does not allow the move (the state then stays) or when the invariant does
 * not hold afterwards (the state has moved). Both are faults of this program: they are logged as
 * sm.refused and sm.invariant, and a build with -DYM_DEBUG aborts.
 */
bool ym_sm_move(struct ym_sm *m, const void *owner, unsigned to);

const char *ym_sm_name(const struct ym_sm *m);

/* Every state is reachable from first, and no move leads outside the table: for tests. */
bool ym_sm_sound(const struct ym_sm_table *table, unsigned first);

#endif
