/* SPDX-License-Identifier: Apache-2.0
 * ULIDs that carry their shard.
 */
#include "ym_id.h"

#include <errno.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define ID_TIME_LEN 10 /* characters for 48 bits of milliseconds */
#define ID_TIME_MOST (((int64_t)1 << 48) - 1)

ym_status ym_id_make(int64_t now_ms, unsigned shard, char out[YM_ID_LEN + 1])
{
    unsigned char random[YM_ID_LEN - ID_TIME_LEN - 1];
    int64_t rest = now_ms;
    ssize_t n;
    size_t i;

    if (now_ms < 0 || now_ms > ID_TIME_MOST || shard >= YM_SHARDS_MAX) {
        return YM_EINVAL;
    }
    do {
        n = getrandom(random, sizeof(random), 0);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(random)) {
        return YM_EIO;
    }

    for (i = ID_TIME_LEN; i-- > 0; rest >>= 5) {
        out[i] = alphabet[rest & 31];
    }
    for (i = 0; i < sizeof(random); i++) {
        out[ID_TIME_LEN + i] = alphabet[random[i] & 31];
    }
    out[YM_ID_LEN - 1] = alphabet[shard];
    out[YM_ID_LEN] = '\0';
    return YM_OK;
}

/* 0 … 31, or -1. */
static int value_of(char c)
{
    const char *p = c != '\0' ? strchr(alphabet, c) : NULL;

    return p != NULL ? (int)(p - alphabet) : -1;
}

bool ym_id_valid(struct ym_str s)
{
    size_t i;

    if (s.n != YM_ID_LEN || s.p[0] > '7') {
        return false;
    }
    for (i = 0; i < s.n; i++) {
        if (value_of(s.p[i]) < 0) {
            return false;
        }
    }
    return true;
}

unsigned ym_id_shard(const char *id)
{
    int v = value_of(id[YM_ID_LEN - 1]);

    return v > 0 ? (unsigned)v : 0;
}

int64_t ym_id_time_ms(const char *id)
{
    int64_t ms = 0;
    size_t i;

    for (i = 0; i < ID_TIME_LEN; i++) {
        ms = ms * 32 + value_of(id[i]);
    }
    return ms;
}

unsigned ym_shard_of(struct ym_str key, unsigned shards)
{
    uint64_t h = 14695981039346656037u;
    size_t i;

    for (i = 0; i < key.n; i++) {
        h = (h ^ (unsigned char)key.p[i]) * 1099511628211u;
    }
    return shards > 0 ? (unsigned)(h % shards) : 0;
}
