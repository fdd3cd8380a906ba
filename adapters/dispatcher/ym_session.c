/* SPDX-License-Identifier: Apache-2.0
 * The session with a system (ym_session.h).
 */
#include "ym_session.h"

#include "ym_conf.h"

#include <curl/curl.h>
#include <stdlib.h>

struct session_value {
    const char *name, *read; /* under which it is used; under which the answer names it */
    char *value;
};

struct ym_session {
    struct ym_sm sm;
    const struct ym_operation *open, *renew; /* renew may be NULL */
    const char *expires;                     /* read name or NULL */
    int64_t lifetime_ms;                     /* 0 = unsaid */
    int64_t margin_ms;
    int64_t until_ms; /* wall clock; 0 = no end known */
    bool renewable;   /* the values are there, so renewal may be tried */
    unsigned generation;
    struct session_value values[YM_SESSION_NAMES];
    size_t value_count;
};

static bool session_holds(const void *owner, unsigned state)
{
    const struct ym_session *s = owner;

    return state != YM_SESSION_RENEWING || s->renew != NULL;
}

static const struct ym_sm_state session_states[] = {
    [YM_SESSION_NONE] = {"none", YM_SM_TO(YM_SESSION_OPENING) | YM_SM_TO(YM_SESSION_RENEWING)},
    [YM_SESSION_OPENING] = {"opening", YM_SM_TO(YM_SESSION_HELD) | YM_SM_TO(YM_SESSION_NONE)},
    [YM_SESSION_HELD] = {"held", YM_SM_TO(YM_SESSION_NONE) | YM_SM_TO(YM_SESSION_RENEWING) |
                                     YM_SM_TO(YM_SESSION_OPENING)},
    [YM_SESSION_RENEWING] = {"renewing", YM_SM_TO(YM_SESSION_HELD) | YM_SM_TO(YM_SESSION_NONE)},
};
const struct ym_sm_table ym_session_table = {"session", session_states, YM_COUNT(session_states),
                                             session_holds};

/* Reads one duration; NULL text leaves *ret. */
static void session_duration(const struct ym_yaml *node, const char *key, int64_t *ret,
                             struct ym_diag *d)
{
    const struct ym_yaml *v = ym_yaml_get(node, key);

    if (v != NULL && (v->kind != YM_YAML_SCALAR || !ym_duration_parse(v->text, ret))) {
        ym_diag_add(d, v->file, v->line, v->column, "session.%s must be a duration such as 60s",
                    key);
    }
}

static const struct ym_operation *session_operation(const struct ym_system *sys,
                                                    const struct ym_yaml *node, const char *key,
                                                    bool required, struct ym_diag *d)
{
    const char *name = ym_yaml_text(node, key);
    const struct ym_operation *op = name != NULL ? ym_system_operation(sys, name) : NULL;

    if (name == NULL && required) {
        ym_diag_add(d, node->file, node->line, node->column,
                    "session.%s is missing: name the operation that signs in", key);
    } else if (name != NULL && op == NULL) {
        const struct ym_yaml *v = ym_yaml_get(node, key);
        ym_diag_add(d, v->file, v->line, v->column, "session.%s: there is no operation %s", key,
                    name);
    }
    return op;
}

static void session_names(struct ym_session *s, const struct ym_yaml *keep, struct ym_diag *d)
{
    if (keep == NULL) {
        return;
    }
    if (keep->kind != YM_YAML_MAP) {
        ym_diag_add(d, keep->file, keep->line, keep->column,
                    "session.keep must be a map of session name: read name");
        return;
    }
    for (const struct ym_yaml *v = keep->child; v != NULL; v = v->next) {
        if (s->value_count == YM_SESSION_NAMES || v->kind != YM_YAML_SCALAR) {
            ym_diag_add(d, v->file, v->line, v->column,
                        "session.keep: at most %d names, each a text", YM_SESSION_NAMES);
            return;
        }
        s->values[s->value_count++] =
            (struct session_value){.name = v->key->text.p, .read = v->text.p};
    }
}

static void session_read(struct ym_session *s, const struct ym_system *sys,
                         const struct ym_yaml *node, struct ym_diag *d)
{
    static const char *const keys[] = {"open",     "renew",  "keep", "expires",
                                       "lifetime", "margin", NULL};

    ym_yaml_only(node, keys, d);
    s->open = session_operation(sys, node, "open", true, d);
    s->renew = session_operation(sys, node, "renew", false, d);
    s->expires = ym_yaml_text(node, "expires");
    s->margin_ms = YM_SESSION_MARGIN_MS;
    session_duration(node, "margin", &s->margin_ms, d);
    session_duration(node, "lifetime", &s->lifetime_ms, d);
    session_names(s, ym_yaml_get(node, "keep"), d);
}

void ym_session_check(const struct ym_system *sys, struct ym_diag *d)
{
    const struct ym_yaml *node = ym_yaml_get(sys->node, "session");
    struct ym_session s = {.open = NULL};

    if (node != NULL) {
        session_read(&s, sys, node, d);
    }
}

ym_status ym_session_open(const struct ym_system *sys, struct ym_session **ret, struct ym_err *err)
{
    const struct ym_yaml *node = ym_yaml_get(sys->node, "session");
    struct ym_session *s;
    struct ym_diag d;
    ym_status rc = YM_OK;

    if (node == NULL) {
        *ret = NULL;
        return YM_OK;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }

    ym_sm_init(&s->sm, &ym_session_table, YM_SESSION_NONE);
    ym_diag_init(&d);
    session_read(s, sys, node, &d);
    if (d.count > 0) {
        if (err != NULL) {
            *err = d.items[0];
        }
        rc = YM_EINVAL;
    }
    ym_diag_clear(&d);
    if (rc != YM_OK) {
        free(s);
        return rc;
    }
    *ret = s;
    return YM_OK;
}

static void session_forget(struct session_value *v)
{
    if (v->value != NULL) {
        ym_wipe(v->value, strlen(v->value));
        free(v->value);
        v->value = NULL;
    }
}

void ym_session_close(struct ym_session *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->value_count; i++) {
        session_forget(&s->values[i]);
    }
    free(s);
}

bool ym_session_good(const struct ym_session *s, int64_t now_ms)
{
    return s->sm.state == YM_SESSION_HELD &&
           (s->until_ms == 0 || now_ms < s->until_ms - s->margin_ms);
}

bool ym_session_own(const struct ym_session *s, const struct ym_operation *op)
{
    return op == s->open || op == s->renew;
}

bool ym_session_in_flight(const struct ym_session *s)
{
    return s->sm.state == YM_SESSION_OPENING || s->sm.state == YM_SESSION_RENEWING;
}

bool ym_session_renewing(const struct ym_session *s)
{
    return s->sm.state == YM_SESSION_RENEWING;
}

const struct ym_operation *ym_session_start(struct ym_session *s)
{
    if (ym_session_in_flight(s)) {
        return NULL;
    }
    if (s->renew != NULL && s->renewable) {
        ym_sm_move(&s->sm, s, YM_SESSION_RENEWING);
        return s->renew;
    }
    ym_sm_move(&s->sm, s, YM_SESSION_OPENING);
    return s->open;
}

static const char *session_read_name(const struct ym_judgement *j, const char *name)
{
    for (size_t i = 0; i < j->captured_count; i++) {
        if (strcmp(j->captured[i].name, name) == 0) {
            return j->captured[i].value;
        }
    }
    return NULL;
}

/* How far the system's clock is ahead of ours, from its Date header; whole seconds. */
static int64_t session_skew_ms(const struct ym_facts *facts, int64_t now_ms)
{
    time_t theirs;

    for (size_t i = 0; i < facts->header_count; i++) {
        if (strcmp(facts->headers[i].name, "date") == 0) {
            theirs = curl_getdate(facts->headers[i].value, NULL);
            return theirs > 0 ? (int64_t)theirs * 1000 - now_ms : 0;
        }
    }
    return 0;
}

/* Copies one value. A renewal may leave out what does not change. */
static bool session_keep_value(struct ym_session *s, struct session_value *v, const char *text)
{
    char *copy;

    if (text == NULL) {
        return s->sm.state == YM_SESSION_RENEWING && v->value != NULL;
    }
    copy = strdup(text);
    if (copy == NULL) {
        return false;
    }
    session_forget(v);
    v->value = copy;
    return true;
}

bool ym_session_keep(struct ym_session *s, const struct ym_judgement *j,
                     const struct ym_facts *facts, int64_t now_ms)
{
    const char *text;
    int64_t until;

    for (size_t i = 0; i < s->value_count; i++) {
        if (!session_keep_value(s, &s->values[i], session_read_name(j, s->values[i].read))) {
            return false;
        }
    }

    s->until_ms = s->lifetime_ms > 0 ? now_ms + s->lifetime_ms : 0;
    text = s->expires != NULL ? session_read_name(j, s->expires) : NULL;
    if (text != NULL && ym_int_parse(ym_str_of(text), &until)) {
        s->until_ms = until - session_skew_ms(facts, now_ms);
        if (s->until_ms <= now_ms + s->margin_ms) {
            /* shorter than the margin: use it for half its life rather than renew without end */
            s->until_ms = now_ms + s->margin_ms +
                          (s->until_ms > now_ms ? s->until_ms - now_ms : 0) / 2 + 1000;
        }
    }
    s->renewable = true;
    s->generation++;
    return ym_sm_move(&s->sm, s, YM_SESSION_HELD);
}

bool ym_session_fail(struct ym_session *s)
{
    bool was_renewal = s->sm.state == YM_SESSION_RENEWING;

    s->renewable = false;
    ym_sm_move(&s->sm, s, YM_SESSION_NONE);
    return was_renewal;
}

void ym_session_refused(struct ym_session *s, unsigned generation)
{
    if (s->sm.state == YM_SESSION_HELD && generation == s->generation) {
        ym_sm_move(&s->sm, s, YM_SESSION_NONE);
    }
}

unsigned ym_session_generation(const struct ym_session *s)
{
    return s->generation;
}

const char *ym_session_value(const struct ym_session *s, const char *name)
{
    for (size_t i = 0; s != NULL && i < s->value_count; i++) {
        if (strcmp(s->values[i].name, name) == 0) {
            return s->values[i].value;
        }
    }
    return NULL;
}

size_t ym_session_count(const struct ym_session *s)
{
    return s != NULL ? s->value_count : 0;
}

const char *ym_session_at(const struct ym_session *s, size_t i)
{
    return i < ym_session_count(s) ? s->values[i].value : NULL;
}
