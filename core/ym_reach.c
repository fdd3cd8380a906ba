/* SPDX-License-Identifier: Apache-2.0
 * Reach of an address: two tables of prefixes, the first that fits counts.
 */
#include "ym_reach.h"

struct prefix {
    unsigned char bytes[16];
    unsigned bits;
    enum ym_reach reach;
};

static const struct prefix prefixes4[] = {
    {{0}, 8, YM_REACH_NEVER},
    {{10}, 8, YM_REACH_INSIDE},
    {{100, 64}, 10, YM_REACH_INSIDE},
    {{127}, 8, YM_REACH_INSIDE},
    {{169, 254}, 16, YM_REACH_NEVER},
    {{172, 16}, 12, YM_REACH_INSIDE},
    {{192, 0, 0}, 24, YM_REACH_NEVER},
    {{192, 0, 2}, 24, YM_REACH_NEVER},
    {{192, 88, 99}, 24, YM_REACH_NEVER},
    {{192, 168}, 16, YM_REACH_INSIDE},
    {{198, 18}, 15, YM_REACH_NEVER},
    {{198, 51, 100}, 24, YM_REACH_NEVER},
    {{203, 0, 113}, 24, YM_REACH_NEVER},
    {{224}, 3, YM_REACH_NEVER}, /* multicast and what was class E */
};

static const struct prefix prefixes6[] = {
    {{[15] = 1}, 128, YM_REACH_INSIDE},
    {{0}, 96, YM_REACH_NEVER}, /* unspecified, and IPv4-compatible addresses, long given up */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, YM_REACH_NEVER},
    {{1}, 64, YM_REACH_NEVER},
    {{0x20, 0x01, 0}, 32, YM_REACH_NEVER}, /* Teredo hides an IPv4 address */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, YM_REACH_NEVER},
    {{0xfd, 0, 0x0e, 0xc2}, 32, YM_REACH_NEVER}, /* a cloud's metadata */
    {{0xfc}, 7, YM_REACH_INSIDE},
    {{0xfe, 0x80}, 10, YM_REACH_NEVER},
    {{0xfe, 0xc0}, 10, YM_REACH_NEVER},
    {{0xff}, 8, YM_REACH_NEVER},
};

static bool prefix_fits(const unsigned char *address, const unsigned char *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(address, prefix, whole) != 0) {
        return false;
    }
    return rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static enum ym_reach find(const struct prefix *list, size_t count, const unsigned char *address)
{
    for (size_t i = 0; i < count; i++) {
        if (prefix_fits(address, list[i].bytes, list[i].bits)) {
            return list[i].reach;
        }
    }
    return YM_REACH_PUBLIC;
}

/* ::ffff:a.b.c.d (mapped), 64:ff9b::a.b.c.d (NAT64), 2002:a.b.c.d:: (6to4); NULL = none inside */
static const unsigned char *inner4(const unsigned char *address)
{
    static const unsigned char mapped[16] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char nat64[16] = {0, 0x64, 0xff, 0x9b};
    static const unsigned char sixtofour[16] = {0x20, 0x02};

    if (prefix_fits(address, mapped, 96) || prefix_fits(address, nat64, 96)) {
        return address + 12;
    }
    return prefix_fits(address, sixtofour, 16) ? address + 2 : NULL;
}

enum ym_reach ym_reach_of(const unsigned char *address, size_t n)
{
    if (n == 4) {
        return find(prefixes4, YM_COUNT(prefixes4), address);
    }
    if (n != 16) {
        return YM_REACH_NEVER;
    }
    const unsigned char *inner = inner4(address);
    if (inner != NULL) {
        return find(prefixes4, YM_COUNT(prefixes4), inner);
    }
    return find(prefixes6, YM_COUNT(prefixes6), address);
}
