/* SPDX-License-Identifier: Apache-2.0
 * The arena: blocks of growing size, freed together; every allocation is zero-filled.
 */
#include "ym_arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK_FIRST 4096u  /* a request rarely needs more */
#define ARENA_BLOCK_MOST 262144u /* a catalogue needs many of them */
#define ARENA_KEPT_SIZES 3       /* blocks of the first size, twice and four times that … */
#define ARENA_KEPT_MOST 64 /* … wait for the next arena, so many of each, empty and zeroed */

/* Under AddressSanitizer every allocation is a block of its own, so that overflows are seen. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_SEPARATE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_SEPARATE 1
#endif
#endif
#ifndef ARENA_SEPARATE
#define ARENA_SEPARATE 0
#endif

struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

struct cleanup {
    struct cleanup *next;
    void (*fn)(void *);
    void *data;
};

struct ym_arena {
    struct block *blocks; /* newest first; only the newest has room */
    struct cleanup *cleanups;
    size_t next_size;
};

static struct {
    struct block *blocks;
    unsigned count;
} kept[ARENA_KEPT_SIZES]; /* one thread per process uses arenas */

static long fault_left; /* tests only; 0 = off */

void ym_fault_after(long n)
{
    fault_left = n;
}

bool ym_fault_hit(void)
{
    return fault_left > 0 && --fault_left == 0;
}

void ym_wipe(void *p, size_t n)
{
    if (n > 0) {
        memset(p, 0, n);
        __asm__ __volatile__("" : : "r"(p) : "memory"); /* it might be read: not to be dropped */
    }
}

struct ym_arena *ym_arena_open(void)
{
    struct ym_arena *a;

    if (ym_fault_hit()) {
        return NULL;
    }
    a = calloc(1, sizeof(*a));
    if (a != NULL) {
        a->next_size = ARENA_BLOCK_FIRST;
    }
    return a;
}

/* Which of the kept sizes, or ARENA_KEPT_SIZES. */
static size_t kept_class(size_t size)
{
    size_t class = 0;

    while (class < ARENA_KEPT_SIZES && size != (size_t)ARENA_BLOCK_FIRST << class) {
        class ++;
    }
    return ARENA_SEPARATE ? ARENA_KEPT_SIZES : class;
}

static struct block *block_open(size_t room)
{
    size_t class = kept_class(room);
    struct block *b = class < ARENA_KEPT_SIZES ? kept[class].blocks : NULL;

    if (b != NULL) {
        kept[class].blocks = b->next;
        kept[class].count--;
        b->next = NULL;
        return b;
    }
    b = calloc(1, sizeof(*b) + room);
    if (b != NULL) {
        b->size = room;
    }
    return b;
}

static void block_close(struct block *b)
{
    size_t class = kept_class(b->size);

    if (class == ARENA_KEPT_SIZES || kept[class].count == ARENA_KEPT_MOST) {
        free(b);
        return;
    }
    memset(b->data, 0, b->used);
    b->used = 0;
    b->next = kept[class].blocks;
    kept[class].blocks = b;
    kept[class].count++;
}

void ym_arena_close(struct ym_arena *a)
{
    struct block *b;

    if (a == NULL) {
        return;
    }
    while (a->cleanups != NULL) {
        struct cleanup *c = a->cleanups;

        a->cleanups = c->next;
        c->fn(c->data);
    }
    b = a->blocks;
    while (b != NULL) {
        struct block *next = b->next;

        block_close(b);
        b = next;
    }
    free(a);
}

void *ym_arena_alloc(struct ym_arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct block *b = a->blocks;
    size_t room;
    void *p;

    if (size > SIZE_MAX / 2 || ym_fault_hit()) {
        return NULL;
    }
    if (size == 0) {
        size = 1;
    }
    if (!ARENA_SEPARATE) {
        size = (size + align - 1) & ~(align - 1);
    }

    if (b == NULL || b->size - b->used < size) {
        room = ARENA_SEPARATE || size > a->next_size / 2 ? size : a->next_size;
        b = block_open(room);
        if (b == NULL) {
            return NULL;
        }
        if (room == size && a->blocks != NULL) { /* full at birth: keep the open one in front */
            b->next = a->blocks->next;
            a->blocks->next = b;
        } else {
            b->next = a->blocks;
            a->blocks = b;
            if (a->next_size < ARENA_BLOCK_MOST) {
                a->next_size *= 2;
            }
        }
    }
    p = b->data + b->used;
    b->used += size;
    return p;
}

void *ym_arena_copy(struct ym_arena *a, const void *data, size_t size)
{
    void *p = ym_arena_alloc(a, size);

    if (p != NULL && size > 0) {
        memcpy(p, data, size);
    }
    return p;
}

char *ym_arena_str(struct ym_arena *a, struct ym_str s)
{
    char *p = s.n < SIZE_MAX / 2 ? ym_arena_alloc(a, s.n + 1) : NULL;

    if (p != NULL && s.n > 0) {
        memcpy(p, s.p, s.n);
    }
    return p;
}

char *ym_arena_strz(struct ym_arena *a, const char *z)
{
    return ym_arena_str(a, ym_str_of(z));
}

char *ym_arena_printf(struct ym_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *p = NULL;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n >= 0) {
        p = ym_arena_alloc(a, (size_t)n + 1);
    }
    if (p != NULL) {
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    va_end(ap);
    return p;
}

ym_status ym_arena_cleanup(struct ym_arena *a, void (*fn)(void *), void *data)
{
    struct cleanup *c = ym_arena_alloc(a, sizeof(*c));

    if (c == NULL) {
        return YM_ENOMEM;
    }
    c->fn = fn;
    c->data = data;
    c->next = a->cleanups;
    a->cleanups = c;
    return YM_OK;
}
