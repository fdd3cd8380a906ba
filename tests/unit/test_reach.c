/* SPDX-License-Identifier: Apache-2.0
 * Which addresses are public, inside, or never asked.
 */
#include "ym_reach.h"
#include "ym_test.h"

#include <arpa/inet.h>

static enum ym_reach reach(const char *text)
{
    unsigned char bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1) {
        return ym_reach_of(bytes, 4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
    return ym_reach_of(bytes, 16);
}

static void each(const char *const *list, enum ym_reach wanted)
{
    for (; *list != NULL; list++) {
        if (reach(*list) != wanted) {
            fail_msg("%s", *list);
        }
    }
}

static void public_ones(void **state)
{
    (void)state;
    static const char *const list[] = {"1.1.1.1",
                                       "9.255.255.255",
                                       "11.0.0.0",
                                       "100.63.255.255",
                                       "100.128.0.0",
                                       "128.0.0.1",
                                       "172.15.255.255",
                                       "172.32.0.0",
                                       "192.167.255.255",
                                       "192.169.0.0",
                                       "223.255.255.255",
                                       "2400:3200::1",
                                       "2001:4860:4860::8888",
                                       "::ffff:1.1.1.1",
                                       "64:ff9b::1.1.1.1",
                                       "2002:101:101::1",
                                       NULL};
    each(list, YM_REACH_PUBLIC);
}

static void inside(void **state)
{
    (void)state;
    static const char *const list[] = {"10.0.0.1",
                                       "100.64.0.1",
                                       "100.127.255.255",
                                       "127.0.0.1",
                                       "127.255.255.255",
                                       "172.16.0.1",
                                       "172.31.255.255",
                                       "192.168.1.1",
                                       "::1",
                                       "fc00::1",
                                       "fd12:3456::1",
                                       "::ffff:127.0.0.1",
                                       "::ffff:10.1.2.3",
                                       "64:ff9b::10.0.0.1",
                                       "2002:7f00:1::",
                                       NULL};
    each(list, YM_REACH_INSIDE);
}

static void never(void **state)
{
    (void)state;
    static const char *const list[] = {"0.0.0.0",
                                       "0.1.2.3",
                                       "169.254.169.254",
                                       "192.0.0.192",
                                       "192.0.2.1",
                                       "198.18.0.1",
                                       "198.51.100.7",
                                       "203.0.113.9",
                                       "224.0.0.1",
                                       "239.1.1.1",
                                       "240.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "::127.0.0.1",
                                       "fe80::1",
                                       "fec0::1",
                                       "ff02::1",
                                       "fd00:ec2::254",
                                       "::ffff:169.254.169.254",
                                       "64:ff9b::a9fe:a9fe",
                                       "2002:a9fe:a9fe::",
                                       "2001:0:1::1",
                                       "2001:db8::1",
                                       "64:ff9b:1::1",
                                       "100::1",
                                       NULL};
    each(list, YM_REACH_NEVER);
    assert_int_equal(ym_reach_of((const unsigned char *)"abcde", 5), YM_REACH_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_ones),
        cmocka_unit_test(inside),
        cmocka_unit_test(never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
