/* SPDX-License-Identifier: Apache-2.0
 * An arena: many small allocations, one end. One owner; not shared between threads.
 */
#ifndef YM_ARENA_H
#define YM_ARENA_H

#include "ym_base.h"

struct ym_arena;

/* NULL when memory is out. Everything allocated from it lives until ym_arena_close(). */
struct ym_arena *ym_arena_open(void);
void             ym_arena_close(struct ym_arena *a); /* accepts NULL; runs cleanups, newest first */

/* Aligned for any type, zero-filled. NULL when memory is out. size 0 yields a unique pointer. */
void *ym_arena_alloc(struct ym_arena *a, size_t size);
void *ym_arena_copy(struct ym_arena *a, const void *data, size_t size);

/* NUL-terminated copies. */
char *ym_arena_str(struct ym_arena *a, struct ym_str s);
char *ym_arena_strz(struct ym_arena *a, const char *z);
char *ym_arena_printf(struct ym_arena *a, const char *fmt, ...) YM_PRINTF(2, 3);

/* Calls fn(data) at close: for objects of other libraries (json_t, xmlDoc …). */
ym_status ym_arena_cleanup(struct ym_arena *a, void (*fn)(void *), void *data);

/* Overwrites memory so that the compiler cannot drop it. */
void ym_wipe(void *p, size_t n);

/*
 * Fault injection for tests: the n-th allocation from now on fails (1 = the next), once.
 * 0 switches it off. Counts arena and ym_buf allocations. Always compiled; one branch.
 */
void ym_fault_after(long n);
bool ym_fault_hit(void); /* asked by the allocators */

#endif
