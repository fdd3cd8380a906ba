/* SPDX-License-Identifier: Apache-2.0
 * Traces of attempts (ym_trace.h).
 */
#include "ym_trace.h"

#include "ym_catalog.h"
#include "ym_codec.h"
#include "ym_doc.h"
#include "ym_envelope.h"
#include "ym_json.h"
#include "ym_utf8.h"
#include "ym_veil.h"

#include <stdlib.h>
#include <strings.h>

#define TRACE_BYTES (1u << 20) /* of one trace */
#define TRACE_MESSAGE                                                                              \
    (256u << 10) /* of a message that is gone through; the rest is not looked at */
#define TRACE_NAMES 512

/* What is known of the names in one operation's messages. */
struct names {
    struct ym_str shown[TRACE_NAMES], hidden[TRACE_NAMES], secret[TRACE_NAMES];
    size_t shown_count, hidden_count, secret_count;
    struct ym_str number, ref; /* an answer may show them */
};

static bool among(const struct ym_str *list, size_t n, struct ym_str name)
{
    for (size_t i = 0; i < n; i++) {
        if (ym_str_eq(list[i], name)) {
            return true;
        }
    }
    return false;
}

static void add_name(struct ym_str *list, size_t *n, struct ym_str name)
{
    if (*n < TRACE_NAMES && !among(list, *n, name)) {
        list[(*n)++] = name;
    }
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Where a field comes from says whether it tells of a person. */
static void learn(struct names *n, const struct ym_type *type, const struct ym_map_leaf *leaf)
{
    struct ym_str name = ym_veil_name(ym_str_of(leaf->to));
    bool shown = false;

    if (leaf->constant != NULL) {
        if (begins(leaf->constant, "$secret.") || begins(leaf->constant, "$session.")) {
            add_name(n->secret, &n->secret_count, name);
            return;
        }
        shown = true;
    } else if (leaf->pointer != NULL && begins(leaf->pointer, "/data/")) {
        shown = type != NULL && ym_type_shows(type, leaf->pointer + strlen("/data"));
    } else if (leaf->pointer != NULL) {
        shown = strcmp(leaf->pointer, "/data") != 0; /* the record's id, revision, times … */
    }
    if (shown) {
        add_name(n->shown, &n->shown_count, name);
    } else {
        add_name(n->hidden, &n->hidden_count, name);
    }
}

static void learn_masks(struct names *n, const struct ym_system *sys)
{
    const struct ym_yaml *masks = ym_yaml_get(sys->node, "masks"), *m;

    for (m = masks != NULL ? masks->child : NULL; m != NULL; m = m->next) {
        add_name(n->hidden, &n->hidden_count, ym_veil_name(m->text));
    }
}

static struct names *names_of(const struct ym_attempt *a)
{
    struct names *n = calloc(1, sizeof(*n));
    const struct ym_type *type = NULL;

    if (n == NULL) {
        return NULL;
    }
    if (a->bench->keys != NULL && a->bench->keys->catalog != NULL && a->claimed.type.n > 0) {
        type = ym_catalog_type(a->bench->keys->catalog, a->claimed.type.p);
    }
    for (size_t t = 0; t < a->op->table_count; t++) {
        const struct ym_map *m = a->op->tables[t].map;

        for (size_t i = 0; i < ym_map_leaf_count(m); i++) {
            learn(n, type, ym_map_leaf_at(m, i));
        }
    }
    learn_masks(n, a->bench->sys);
    for (size_t i = 0; i < a->wire.mark_count; i++) {
        add_name(n->secret, &n->secret_count, ym_veil_name(ym_str_of(a->wire.marks[i].name)));
    }
    n->number = ym_str_of(a->judged.number != NULL ? a->judged.number : a->claimed.number.p);
    n->ref = a->claimed.id;
    return n;
}

/* For who may see everything: only secrets are blanked. */
static enum ym_sight see_full(const void *data, struct ym_str name, struct ym_str value)
{
    const struct names *n = data;

    (void)value;
    return among(n->secret, n->secret_count, name) ? YM_SIGHT_SECRET : YM_SIGHT_SHOWN;
}

/* Of a request what its field table knows to be harmless. */
static enum ym_sight see_request(const void *data, struct ym_str name, struct ym_str value)
{
    const struct names *n = data;

    if (among(n->secret, n->secret_count, name)) {
        return YM_SIGHT_SECRET;
    }
    if (value.n == 0 || (name.n > 0 && among(n->shown, n->shown_count, name) &&
                         !among(n->hidden, n->hidden_count, name))) {
        return YM_SIGHT_SHOWN;
    }
    return YM_SIGHT_HIDDEN;
}

/* Of an answer nothing is known: codes, and the two names of the case itself. */
static enum ym_sight see_answer(const void *data, struct ym_str name, struct ym_str value)
{
    const struct names *n = data;

    if (among(n->secret, n->secret_count, name)) {
        return YM_SIGHT_SECRET;
    }
    if (ym_veil_code(value) ||
        (value.n > 0 && (ym_str_eq(value, n->number) || ym_str_eq(value, n->ref)))) {
        return YM_SIGHT_SHOWN;
    }
    return YM_SIGHT_HIDDEN;
}

/* Blanking ------------------------------------------------------------------------------------ */

static void escaped(struct ym_str s, struct ym_buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *as = s.p[i] == '&'   ? "&amp;"
                         : s.p[i] == '<' ? "&lt;"
                         : s.p[i] == '>' ? "&gt;"
                         : s.p[i] == '"' ? "&quot;"
                                         : NULL;

        if (as != NULL) {
            ym_buf_adds(out, as);
        } else {
            ym_buf_addc(out, s.p[i]);
        }
    }
}

static void blank_one(struct ym_buf *text, struct ym_str secret)
{
    struct ym_buf out;

    if (secret.n == 0 || text->n < secret.n ||
        memmem(text->p, text->n, secret.p, secret.n) == NULL) {
        return;
    }
    ym_buf_init(&out, TRACE_BYTES);
    ym_veil_blank(ym_buf_str(text), secret, &out);
    ym_buf_wipe(text);
    if (out.failed == YM_OK) {
        *text = out;
    }
}

/* In every form in which it may stand in a message. */
static void blank(struct ym_buf *text, const char *secret)
{
    struct ym_str plain = ym_str_of(secret);
    struct ym_buf form;

    if (plain.n < 4) {
        return;
    }
    blank_one(text, plain);
    ym_buf_init(&form, TRACE_BYTES);
    ym_buf_add_uri(&form, plain);
    blank_one(text, ym_buf_str(&form));
    ym_buf_wipe(&form);
    ym_buf_add_json(&form, plain);
    if (form.n > 2) {
        blank_one(text, (struct ym_str){form.p + 1, form.n - 2});
    }
    ym_buf_wipe(&form);
    ym_base64_add(&form, plain);
    blank_one(text, ym_buf_str(&form));
    ym_buf_wipe(&form);
    escaped(plain, &form);
    blank_one(text, ym_buf_str(&form));
    ym_buf_wipe(&form);
}

static void blank_all(const struct ym_attempt *a, struct ym_buf *text)
{
    const struct ym_bench *b = a->bench;

    for (size_t i = 0; ym_secret_at(b->secrets, i) != NULL; i++) {
        blank(text, ym_secret_at(b->secrets, i));
    }
    for (size_t i = 0; i < ym_session_count(b->session); i++) {
        blank(text, ym_session_at(b->session, i));
    }
    for (size_t i = 0; i < a->wire.mark_count; i++) {
        const char *value = a->wire.marks[i].value;

        if (value != NULL && !ym_veil_code(ym_str_of(value))) {
            blank(text, value);
        }
    }
}

/* The request --------------------------------------------------------------------------------- */

/* Headers that say how a message is to be read; any other may be a credential. */
static bool plain_header(const char *name)
{
    static const char *const names[] = {"content-type", "accept", "soapaction", "content-encoding"};

    for (size_t i = 0; i < YM_COUNT(names); i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void put_url(const struct ym_veil *v, const char *url, const char *charset,
                    struct ym_buf *out)
{
    const char *host = strstr(url, "://"), *at;
    size_t n = strcspn(url, "?#");

    if (host != NULL && (at = memchr(host + 3, '@', strcspn(host + 3, "/?#"))) != NULL) {
        ym_buf_add(out, url, (size_t)(host + 3 - url));
        n -= (size_t)(at + 1 - url);
        url = at + 1;
    }
    ym_buf_add(out, url, n);
    if (url[n] == '?') {
        ym_buf_adds(out, "\n");
        ym_veil_form(v, ym_str_of(url + n + 1), charset, out);
    } else {
        ym_buf_addc(out, '\n');
    }
}

static void put_headers(const struct ym_wire *w, struct ym_buf *out)
{
    for (size_t i = 0; i < w->header_count; i++) {
        ym_buf_addf(out, "%s: %s\n", w->headers[i].name,
                    plain_header(w->headers[i].name) ? w->headers[i].value : "[secret]");
    }
}

static void put_fields(const struct ym_veil *v, const struct ym_wire *w, struct ym_buf *out)
{
    for (size_t i = 0; i < w->field_count; i++) {
        ym_buf_addf(out, "%s = ", w->fields[i].name);
        ym_veil_text(v, ym_str_of(w->fields[i].name), ym_str_of(w->fields[i].value), out);
        ym_buf_addc(out, '\n');
    }
}

/* The column that parameter k of a statement is bound to: `(a, b) VALUES (?, ?)` or `a = ?`. */
static struct ym_str column_of(const char *sql, size_t k)
{
    const char *values = strstr(sql, " VALUES "), *p = sql;
    struct ym_str name = YM_STR("");

    if (values != NULL) {
        p = strchr(sql, '(');
        for (size_t i = 0; p != NULL && p < values; i++) {
            p += 1 + strspn(p + 1, " ");
            name = (struct ym_str){p, strcspn(p, ",) ")};
            if (i == k) {
                return name;
            }
            p = strpbrk(p, ",)");
            p = p != NULL && *p == ',' ? p : NULL;
        }
        return YM_STR("");
    }
    for (size_t i = 0; (p = strchr(p, '?')) != NULL; i++, p++) {
        if (i == k) {
            const char *end = p;

            while (end > sql && strchr(" =<>", end[-1]) != NULL) {
                end--;
            }
            for (name.p = end; name.p > sql && strchr(" ,(", name.p[-1]) == NULL;) {
                name.p--;
            }
            name.n = (size_t)(end - name.p);
            return name;
        }
    }
    return name;
}

static void put_sql(const struct ym_veil *v, const struct ym_wire *w, struct ym_buf *out)
{
    for (size_t i = 0; i < w->statement_count; i++) {
        const struct ym_wire_sql *s = &w->statements[i];

        ym_buf_addf(out, "%s;\n", s->text);
        for (size_t k = 0; k < s->param_count; k++) {
            ym_buf_addf(out, "  %zu: ", k + 1);
            if (s->params[k] == NULL) {
                ym_buf_adds(out, "NULL");
            } else {
                ym_veil_text(v, column_of(s->text, k), ym_str_of(s->params[k]), out);
            }
            ym_buf_addc(out, '\n');
        }
    }
}

/* A body as it went, in UTF-8, what is beyond TRACE_MESSAGE left out. */
static void put_body(const struct ym_attempt *a, const struct ym_veil *v, struct ym_buf *out)
{
    const char *charset = a->bench->sys->settings.charset;
    const char *format = ym_yaml_text(a->op->node, "format");
    const char *header = ym_yaml_text(a->op->node, "header");
    struct ym_str body = a->wire.body;
    struct ym_buf text;
    size_t replaced = 0;

    if (body.n == 0) {
        return;
    }
    body.n = body.n < TRACE_MESSAGE ? body.n : TRACE_MESSAGE;
    ym_buf_addc(out, '\n');
    if (a->wire.kind != YM_WIRE_FILE && ym_yaml_text(a->op->node, "body") != NULL &&
        strcmp(ym_yaml_text(a->op->node, "body"), "form") == 0) {
        ym_veil_form(v, body, charset, out);
        return;
    }
    ym_buf_init(&text, TRACE_BYTES);
    if (ym_charset_convert(charset, "utf-8", body, &text, &replaced, NULL) == YM_OK) {
        if (a->wire.kind == YM_WIRE_FILE && format != NULL && strcmp(format, "csv") == 0 &&
            (header == NULL || strcmp(header, "false") != 0)) {
            ym_veil_csv(v, ym_buf_str(&text), out);
        } else {
            ym_veil_text(v, YM_STR(""), ym_buf_str(&text), out);
        }
    }
    ym_buf_wipe(&text);
}

static void put_file(const struct ym_attempt *a, const struct ym_veil *v, struct ym_buf *out)
{
    const struct ym_wire *w = &a->wire;

    if (w->file_probe) {
        for (size_t i = 0; w->read_names != NULL && w->read_names[i] != NULL; i++) {
            ym_buf_addf(out, "READ %s\n", w->read_names[i]);
        }
        return;
    }
    ym_buf_addf(out, "FILE %s%s%s\n", w->file_dir, *w->file_dir != '\0' ? "/" : "", w->file_name);
    put_body(a, v, out);
}

static void put_request(const struct ym_attempt *a, const struct ym_veil *v, struct ym_buf *out)
{
    const struct ym_wire *w = &a->wire;
    const char *charset = a->bench->sys->settings.charset;

    switch (w->kind) {
    case YM_WIRE_HTTP:
        ym_buf_addf(out, "%s ", w->method);
        put_url(v, w->url, charset, out);
        put_headers(w, out);
        put_body(a, v, out);
        break;
    case YM_WIRE_FORM:
        ym_buf_addf(out, "%s ", w->page_url != NULL ? "FORM" : w->method);
        put_url(v, w->page_url != NULL ? w->page_url : w->url, charset, out);
        put_headers(w, out);
        ym_buf_addc(out, '\n');
        put_fields(v, w, out);
        break;
    case YM_WIRE_SQL:
        put_sql(v, w, out);
        break;
    case YM_WIRE_FILE:
        put_file(a, v, out);
        break;
    case YM_WIRE_CARD:
        break;
    }
}

/* The answer ---------------------------------------------------------------------------------- */

static const char *answer_header(const struct ym_facts *f, const char *name)
{
    for (size_t i = 0; i < f->header_count; i++) {
        if (strcasecmp(f->headers[i].name, name) == 0) {
            return f->headers[i].value;
        }
    }
    return NULL;
}

/* In UTF-8, in an arena of its own: a document is many small pieces. */
static void put_answer(const struct ym_attempt *a, const struct ym_veil *v, struct ym_buf *out)
{
    struct ym_doc_charsets cs = {.header = a->facts.charset,
                                 .fallback = a->bench->sys->settings.charset};
    struct ym_str body = a->facts.body;
    struct ym_arena *arena = ym_arena_open();
    struct ym_doc doc = {0};

    body.n = body.n < TRACE_MESSAGE ? body.n : TRACE_MESSAGE;
    if (arena != NULL && ym_doc_decode(body, &cs, arena, &doc, NULL) == YM_OK &&
        doc.text.p != NULL) {
        ym_veil_text(v, YM_STR(""), doc.text, out);
    }
    ym_arena_close(arena);
}

/* The whole ----------------------------------------------------------------------------------- */

/* The longest start of at most max bytes that ends with a character. */
static struct ym_str cut(struct ym_str s, size_t max)
{
    size_t at = 0, step;

    while (at < s.n) {
        step = ym_utf8_step((const unsigned char *)s.p + at, s.n - at);
        step = step > 0 ? step : 1;
        if (at + step > max) {
            break;
        }
        at += step;
    }
    return (struct ym_str){s.p, at};
}

typedef void (*trace_put)(const struct ym_attempt *a, const struct ym_veil *v, struct ym_buf *out);

static bool put_form(const struct ym_attempt *a, const char *key, trace_put put,
                     const struct ym_veil *v, struct ym_buf *out)
{
    struct ym_buf text;
    bool whole;

    ym_buf_init(&text, TRACE_BYTES);
    ym_buf_adds(&text, "");
    put(a, v, &text);
    blank_all(a, &text);
    whole = text.n <= YM_TRACE_TEXT;
    ym_buf_addf(out, "\"%s\":", key);
    ym_buf_add_json(out, cut(ym_buf_str(&text), YM_TRACE_TEXT));
    ym_buf_wipe(&text);
    return whole;
}

static void put_message(const struct ym_attempt *a, const struct names *n, bool request,
                        size_t bytes, struct ym_buf *out)
{
    const struct ym_veil full = {see_full, n};
    const struct ym_veil masked = {request ? see_request : see_answer, n};
    trace_put put = request ? put_request : put_answer;
    bool whole;

    ym_buf_addf(out, ",\"%s\":{", request ? "request" : "answer");
    whole = put_form(a, "text", put, &full, out);
    ym_buf_addc(out, ',');
    whole = put_form(a, "masked", put, &masked, out) && whole;
    ym_buf_addf(out, ",\"bytes\":%zu,\"cut\":%s", bytes,
                whole && bytes <= TRACE_MESSAGE ? "false" : "true");
    if (!request && answer_header(&a->facts, "content-type") != NULL) {
        ym_buf_adds(out, ",\"type\":");
        ym_buf_add_json(out, ym_str_of(answer_header(&a->facts, "content-type")));
    }
    ym_buf_addc(out, '}');
}

static void put_text(struct ym_buf *out, const char *key, const char *value)
{
    if (value != NULL && *value != '\0') {
        ym_buf_addf(out, ",\"%s\":", key);
        ym_buf_add_json(out, ym_str_of(value));
    }
}

static void put_step(const struct ym_attempt *a, struct ym_buf *out)
{
    static const char *const sent[] = {
        [YM_NOT_SENT] = "not_sent", [YM_SENT_NO_REPLY] = "no_reply", [YM_REPLIED] = "replied"};
    const struct ym_facts *f = &a->facts;
    struct names *n = names_of(a);

    ym_buf_addf(out, "{\"operation\":");
    ym_buf_add_json(out, ym_str_of(a->op->name));
    ym_buf_addf(out, ",\"outcome\":\"%s\",\"sent\":\"%s\",\"status\":%ld,\"took\":%lld,\"rule\":%d",
                ym_verdict_word(a->judged.verdict), sent[f->sent], f->status, (long long)f->took_ms,
                a->judged.rule_line);
    put_text(out, "stage", f->stage);
    put_text(out, "error", f->sent != YM_REPLIED ? f->problem : NULL);
    put_text(out, "number", a->judged.number);
    if (n != NULL && (f->sent != YM_NOT_SENT || f->status != 0)) {
        put_message(a, n, true, a->wire.body.n, out);
        if (f->sent == YM_REPLIED || f->status != 0) {
            put_message(a, n, false, f->body.n, out);
        }
    }
    ym_buf_addc(out, '}');
    free(n);
}

bool ym_trace_wanted(const struct ym_attempt *a, char letter)
{
    if (a->bench->sys->settings.keep_attempts == YM_KEEP_NONE || a->sm.state != YM_ATTEMPT_JUDGED ||
        a->claimed.id.n == 0) {
        return false;
    }
    return a->bench->sys->settings.keep_attempts == YM_KEEP_ALL ||
           (letter != 'd' && letter != 'w' && letter != 'c');
}

void ym_trace_step(struct ym_attempt *a)
{
    struct ym_buf b;

    if (a->bench->sys->settings.keep_attempts == YM_KEEP_NONE || a->claimed.id.n == 0) {
        return;
    }
    ym_buf_init(&b, TRACE_BYTES);
    if (a->steps.n > 0) {
        ym_buf_add(&b, a->steps.p, a->steps.n);
        ym_buf_addc(&b, ',');
    }
    put_step(a, &b);
    if (b.failed == YM_OK) {
        const char *kept = ym_arena_copy(a->arena, b.p, b.n);

        a->steps = kept != NULL ? (struct ym_str){kept, b.n} : a->steps;
    }
    ym_buf_wipe(&b);
}

struct ym_str ym_trace(const struct ym_attempt *a, char letter, int64_t now_ms)
{
    struct ym_str out = YM_STR_NULL;
    struct ym_buf b;

    ym_buf_init(&b, TRACE_BYTES);
    ym_buf_addf(&b, "{\"at\":%lld,\"attempt\":%lld,\"revision\":%lld,\"op\":",
                (long long)(now_ms - a->facts.took_ms), (long long)a->claimed.attempt,
                (long long)a->claimed.revision);
    ym_buf_add_json(&b, a->claimed.op);
    ym_buf_addf(&b, ",\"letter\":\"%c\",\"steps\":[", letter);
    if (a->steps.n > 0) {
        ym_buf_add(&b, a->steps.p, a->steps.n);
        ym_buf_addc(&b, ',');
    }
    put_step(a, &b);
    ym_buf_adds(&b, "]}");
    if (b.failed == YM_OK) {
        out.p = ym_arena_copy(a->arena, b.p, b.n);
        out.n = out.p != NULL ? b.n : 0;
    }
    ym_buf_wipe(&b);
    return out;
}
