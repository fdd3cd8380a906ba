/* SPDX-License-Identifier: Apache-2.0
 * Proves how a site file's connection overlays the adapter's, and what a secret reference may be.
 */
#include "ym_test.h"

#include "ym_connection.h"
#include "ym_transports.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct sample {
    const char *ca_file, *known_hosts;
    int64_t wait_ms;
};

static const struct ym_field table[] = {
    {"ca_file", YM_FIELD_STRING, offsetof(struct sample, ca_file), NULL, 0, 0, NULL, 0, "A."},
    {"known_hosts", YM_FIELD_STRING, offsetof(struct sample, known_hosts), NULL, 0, 0, NULL, 0,
     "B."},
    {"wait", YM_FIELD_DURATION, offsetof(struct sample, wait_ms), "5s", 0, 0, NULL, 0, "C."},
    {NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL},
};

static ym_status load(const char *adapter, const char *site, struct sample *ret, struct ym_arena *a,
                      struct ym_diag *d)
{
    struct ym_system sys = {.file = "adapter.yaml"};
    struct ym_yaml *node = NULL, *over = NULL;
    ym_status rc = YM_OK;

    ym_diag_init(d);
    if (adapter != NULL) {
        rc = ym_yaml_parse(ym_str_of(adapter), "adapter.yaml", a, &node, NULL);
    }
    if (rc == YM_OK && site != NULL) {
        rc = ym_yaml_parse(ym_str_of(site), "/etc/x/site.yaml", a, &over, NULL);
    }
    if (rc != YM_OK) {
        return rc;
    }
    sys.node = node;
    sys.site = over;
    rc = ym_connection_load(&sys, table, ret, a, d);
    if (rc == YM_OK) {
        ret->ca_file = ym_connection_path(&sys, ret->ca_file, a);
    }
    return rc;
}

static void site_wins_key_by_key(void **state)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_diag d;
    struct sample s;

    (void)state;
    assert_int_equal(load("connection: { known_hosts: a, wait: 9s }",
                          "connection: { wait: 1s, ca_file: ca.pem }", &s, a, &d),
                     YM_OK);
    assert_string_equal(s.known_hosts, "a");
    assert_string_equal(s.ca_file, "/etc/x/ca.pem");
    assert_int_equal(s.wait_ms, 1000);
    assert_int_equal(load(NULL, "connection: { ca_file: /abs.pem }", &s, a, &d), YM_OK);
    assert_string_equal(s.ca_file, "/abs.pem");
    assert_int_equal(load("connection: { wait: 2s }", NULL, &s, a, &d), YM_OK);
    assert_int_equal(s.wait_ms, 2000);
    assert_int_equal(load("a: b", "c: d", &s, a, &d), YM_OK);
    assert_int_equal(s.wait_ms, 5000);

    assert_int_equal(load("connection: { wait: 2s }", "connection: { weit: 1s }", &s, a, &d),
                     YM_EINVAL);
    assert_string_equal(d.items[0].file, "/etc/x/site.yaml");
    ym_diag_clear(&d);
    ym_arena_close(a);
}

static void put(const char *path, const char *text, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    assert_int_equal(close(fd), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static ym_status resolve_file(const char *path, char **ret)
{
    char reference[300];
    struct ym_err err = {0};
    ym_status rc;

    (void)snprintf(reference, sizeof(reference), "file:%s", path);
    rc = ym_secret_resolve(reference, ret, &err);
    assert_null(strstr(err.message, "geheim"));
    return rc;
}

static void secrets_are_references(void **state)
{
    char folder[] = "/tmp/ym-secret-XXXXXX", path[64], *value = NULL;
    struct ym_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    put(path, "geheim\n", 7, 0600);
    assert_int_equal(resolve_file(path, &value), YM_OK);
    assert_string_equal(value, "geheim");
    free(value);
    put(path, "geheim\r\n\n", 9, 0400);
    assert_int_equal(resolve_file(path, &value), YM_OK);
    assert_string_equal(value, "geheim\r\n");
    free(value);
    value = NULL;
    put(path, "geheim", 6, 0640);
    assert_int_equal(resolve_file(path, &value), YM_EAUTH);
    put(path, "geheim", 6, 0604);
    assert_int_equal(resolve_file(path, &value), YM_EAUTH);
    put(path, "ge\0heim", 7, 0600);
    assert_int_equal(resolve_file(path, &value), YM_EAUTH);
    put(path, "\n", 1, 0600);
    assert_int_equal(resolve_file(path, &value), YM_EAUTH);
    assert_int_equal(resolve_file(folder, &value), YM_EAUTH);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(resolve_file(path, &value), YM_EAUTH);
    assert_int_equal(rmdir(folder), 0);

    assert_int_equal(setenv("YM_TEST_SECRET", "from env", 1), 0);
    assert_int_equal(ym_secret_resolve("env:YM_TEST_SECRET", &value, &err), YM_OK);
    assert_string_equal(value, "from env");
    free(value);
    value = NULL;
    assert_int_equal(setenv("YM_TEST_SECRET", "", 1), 0);
    assert_int_equal(ym_secret_resolve("env:YM_TEST_SECRET", &value, &err), YM_EAUTH);
    assert_int_equal(ym_secret_resolve("geheim", &value, &err), YM_EAUTH);
    assert_null(strstr(err.message, "geheim"));
    assert_null(value);
}

static void every_transport_is_described(void **state)
{
    static const char *const names[] = {"http", "soap", "form", "sql", "file", "handoff"};
    struct ym_buf out;
    size_t i;

    (void)state;
    for (i = 0; i < YM_COUNT(names); i++) {
        const struct ym_transport *t = ym_transport_find(names[i]);

        assert_non_null(t);
        assert_non_null(t->check);
        assert_non_null(t->open);
        assert_true(i == 5 || (t->begin != NULL) != (t->run != NULL));
        assert_true((t->begin != NULL) == (t->step != NULL && t->end != NULL));
    }
    assert_null(ym_transport_find("smtp"));
    ym_buf_init(&out, 100000);
    assert_int_equal(ym_transports_document(&out), YM_OK);
    assert_non_null(strstr(out.p, "`known_hosts`"));
    ym_buf_clear(&out);
}

static ym_status load_body(void *data)
{
    struct ym_arena *a = ym_arena_open();
    struct ym_diag d = {0};
    struct sample s;
    ym_status rc = YM_ENOMEM;

    (void)data;
    if (a != NULL) {
        rc = load("connection: { known_hosts: a }", "connection: { ca_file: /b }", &s, a, &d);
    }
    if (rc == YM_EINVAL) {
        assert_non_null(strstr(d.items[0].message, "out of memory"));
        rc = YM_ENOMEM;
    }
    ym_diag_clear(&d);
    ym_arena_close(a);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fault_loop(load_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(site_wins_key_by_key),
        cmocka_unit_test(secrets_are_references),
        cmocka_unit_test(every_transport_is_described),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
