/* SPDX-License-Identifier: Apache-2.0
 * A service's address, a ticket and a name, separated by NUL. An address that is taken has one form,
 * stays on the host that it names, and is one header line; whatever a name holds, the answer is
 * well-formed XML with one user in it.
 */
#include "ym_cas.h"

#include <libxml/parser.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ym_str next(struct ym_str *in)
{
    const char *end = in->n > 0 ? memchr(in->p, '\0', in->n) : NULL;
    struct ym_str s = {in->p, end != NULL ? (size_t)(end - in->p) : in->n};

    in->p += s.n + (end != NULL ? 1 : 0);
    in->n -= s.n + (end != NULL ? 1 : 0);
    return s;
}

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void look_at_service(struct ym_str service)
{
    static const char origin[] = "https://app.example";
    struct ym_buf once, twice;

    ym_buf_init(&once, 8192);
    ym_buf_init(&twice, 8192);
    if (ym_cas_service(service, &once)) {
        must(ym_cas_service(ym_buf_str(&once), &twice));
        must(ym_str_eq(ym_buf_str(&once), ym_buf_str(&twice)));
        for (size_t i = 0; i < once.n; i++) {
            must(once.p[i] > 0x20 && once.p[i] < 0x7f && strchr("\"<>#\\", once.p[i]) == NULL);
        }
        for (size_t i = 0; i < service.n; i++) { /* it is sent as it came */
            must(service.p[i] > 0x20 && service.p[i] < 0x7f);
        }
        if (ym_cas_matches(YM_STR("https://app.example/cas"), false, ym_buf_str(&once))) {
            must(ym_str_is(ym_buf_str(&once), "https://app.example/cas"));
        }
        if (ym_cas_matches(YM_STR("https://app.example/cas"), true, ym_buf_str(&once))) {
            size_t n = sizeof(origin) - 1;
            must(once.n > n && memcmp(once.p, origin, n) == 0 && once.p[n] == '/');
            once.p[strcspn(once.p, "?")] = '\0';
            must(strstr(once.p, "/../") == NULL && strstr(once.p, "/..;") == NULL);
        }
    }
    ym_buf_clear(&once);
    ym_buf_clear(&twice);
}

/* Elements of that name below node. */
static unsigned count(const xmlNode *node, const char *name)
{
    unsigned n = 0;
    for (; node != NULL; node = node->next) {
        n += node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
        n += count(node->children, name);
    }
    return n;
}

static void look_at_answer(struct ym_str user, struct ym_str ticket)
{
    const struct ym_cas_attribute attributes[] = {{"name", user}, {"roles", ticket}};
    struct ym_cas_person person = {
        .user = user, .attributes = attributes, .count = YM_COUNT(attributes)};
    struct ym_buf out;
    xmlDoc *doc;

    ym_buf_init(&out, 1u << 20);
    if (ym_cas_success(&out, YM_CAS_3, &person) == YM_OK) {
        doc = xmlReadMemory(out.p, (int)out.n, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                XML_PARSE_HUGE);
        must(doc != NULL);
        must(count(xmlDocGetRootElement(doc), "user") == 1);
        must(count(xmlDocGetRootElement(doc), "roles") == 1);
        xmlFreeDoc(doc);
    }
    ym_buf_clear(&out);

    ym_buf_init(&out, 1u << 20);
    if (ym_cas_logout(&out, "_1", 0, ticket) == YM_OK) {
        doc = xmlReadMemory(out.p, (int)out.n, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                XML_PARSE_HUGE);
        must(doc != NULL && count(xmlDocGetRootElement(doc), "SessionIndex") == 1);
        xmlFreeDoc(doc);
    }
    ym_buf_clear(&out);

    ym_buf_init(&out, 1u << 20);
    if (ym_cas_success(&out, YM_CAS_1, &person) == YM_OK) {
        must(memcmp(out.p, "yes\n", 4) == 0);
        must(memchr(out.p + 4, '\n', out.n - 4) == out.p + out.n - 1);
    }
    ym_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ym_str in = {(const char *)data, size};
    struct ym_str service = next(&in), ticket = next(&in), user = in;

    look_at_service(service);
    if (ym_cas_ticket_ok(ticket)) {
        must(ticket.n == YM_CAS_TICKET_LEN && memcmp(ticket.p, "ST-", 3) == 0);
        for (size_t i = 3; i < ticket.n; i++) {
            must(strchr("0123456789abcdef", ticket.p[i]) != NULL);
        }
    }
    look_at_answer(user, ticket);
    return 0;
}
