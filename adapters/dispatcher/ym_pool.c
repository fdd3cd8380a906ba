/* SPDX-License-Identifier: Apache-2.0
 * Size classes over slabs in one reserved range of addresses (ym_pool.h): whether a pointer is the
 * pool's, and of which class, follows from its address.
 */
#include "ym_pool.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#define POOL_STEP 16u
#define POOL_CLASSES (YM_POOL_MOST / POOL_STEP)
#define POOL_SLAB 65536u
#define POOL_SLABS 4096u /* 256 MB of addresses; what is not touched takes no memory */

struct pool_free {
    struct pool_free *next;
};

static struct {
    char *base; /* NULL until the first allocation; MAP_FAILED = there is none */
    size_t slabs;
    unsigned char class_of[POOL_SLABS];
    struct pool_free *free[POOL_CLASSES];
    char *fresh[POOL_CLASSES], *fresh_end[POOL_CLASSES]; /* of the class's last slab */
} pool;

static bool pool_owns(const void *p)
{
    return pool.base != NULL &&
           (uintptr_t)p - (uintptr_t)pool.base < (uintptr_t)POOL_SLAB * POOL_SLABS;
}

/* Another slab for a class. False when the range is used up. */
static bool pool_slab(size_t class)
{
    if (pool.base == NULL) {
        void *range = mmap(NULL, (size_t)POOL_SLAB * POOL_SLABS, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (range == MAP_FAILED) {
            return false;
        }
        pool.base = range;
    }
    if (pool.slabs == POOL_SLABS) {
        return false;
    }
    pool.class_of[pool.slabs] = (unsigned char)class;
    pool.fresh[class] = pool.base + pool.slabs * POOL_SLAB;
    pool.fresh_end[class] = pool.fresh[class] + POOL_SLAB;
    pool.slabs++;
    return true;
}

void *ym_pool_alloc(size_t n)
{
    size_t class = n == 0 ? 0 : (n - 1) / POOL_STEP, size = (class + 1) * POOL_STEP;
    struct pool_free *f;
    void *p;

    if (class >= POOL_CLASSES) {
        return malloc(n);
    }
    f = pool.free[class];
    if (f != NULL) {
        pool.free[class] = f->next;
        return f;
    }
    if ((size_t)(pool.fresh_end[class] - pool.fresh[class]) < size && !pool_slab(class)) {
        return malloc(size);
    }
    p = pool.fresh[class];
    pool.fresh[class] += size;
    return p;
}

void ym_pool_free(void *p)
{
    struct pool_free *f = p;
    size_t class;

    if (!pool_owns(p)) {
        free(p);
        return;
    }
    class = pool.class_of[(size_t)((char *)p - pool.base) / POOL_SLAB];
    f->next = pool.free[class];
    pool.free[class] = f;
}

void ym_pool_install(void)
{
#ifdef M_MXFAST
    /* glibc goes through all its small free chunks whenever somebody wants a large one: have none */
    mallopt(M_MXFAST, 0);
#endif
#ifndef __SANITIZE_ADDRESS__
    json_set_alloc_funcs(ym_pool_alloc, ym_pool_free);
#endif
}
