/* SPDX-License-Identifier: Apache-2.0
 * An operation's `reply:` compiled into a plan, and facts judged by it.
 */
#include "ym_reply.h"

#include "ym_codec.h"
#include "ym_conf.h"
#include "ym_json.h"
#include "ym_rules.h"
#include "ym_time.h"

#include <stdio.h>
#include <stdlib.h>

#define UNWRAP_MAX 4
#define MESSAGE_MAX 300 /* characters of the system's words */
#define AFTER_MAX_MS (24 * 3600000LL)
#define PLANS_MAX 256 /* of the per-process cache */

struct unwrap {
    const struct ym_reader *reader;
    enum ym_doc_kind as;
};

struct ym_reply_plan {
    enum ym_doc_kind kind;
    const char *forced, *fallback; /* charsets */
    struct unwrap unwrap[UNWRAP_MAX];
    size_t unwrap_count;
    struct ym_read reads[YM_RULES_READS];
    size_t read_count;
    bool idempotent;
    struct ym_rules rules;
    const struct ym_reader *fault; /* of an XML answer, read before unwrap */
};

/* `reply:` of the operation, or the one it shares by naming another operation. */
static const struct ym_yaml *reply_node(const struct ym_system *sys, const struct ym_operation *op,
                                        struct ym_diag *d)
{
    const struct ym_yaml *node = ym_yaml_get(op->node, "reply");
    const struct ym_yaml *other;

    if (node == NULL || node->kind != YM_YAML_SCALAR) {
        return node;
    }
    other = ym_yaml_get(ym_yaml_get(ym_yaml_get(sys->node, "operations"), node->text.p), "reply");
    if (other == NULL || other->kind != YM_YAML_MAP) {
        ym_diag_add(d, node->file, node->line, node->column,
                    "reply names the operation %s, which has no reply rules of its own",
                    node->text.p);
        return NULL;
    }
    return other;
}

static enum ym_doc_kind default_kind(const char *transport)
{
    static const struct {
        const char *transport;
        enum ym_doc_kind kind;
    } kinds[] = {{"http", YM_DOC_JSON},
                 {"soap", YM_DOC_XML},
                 {"form", YM_DOC_HTML},
                 {"sql", YM_DOC_JSON},
                 {"file", YM_DOC_TEXT}};

    for (size_t i = 0; transport != NULL && i < YM_COUNT(kinds); i++) {
        if (strcmp(kinds[i].transport, transport) == 0) {
            return kinds[i].kind;
        }
    }
    return YM_DOC_NONE;
}

static void compile_unwrap(const struct ym_yaml *list, struct ym_reply_plan *p, struct ym_arena *a,
                           struct ym_diag *d)
{
    const struct ym_yaml *n = list != NULL && list->kind == YM_YAML_LIST ? list->child : list;
    enum ym_doc_kind kind = p->kind;

    for (; n != NULL; n = list->kind == YM_YAML_LIST ? n->next : NULL) {
        struct unwrap *u = &p->unwrap[p->unwrap_count];
        const char *as = ym_yaml_text(n, "as");

        if (p->unwrap_count == UNWRAP_MAX) {
            ym_diag_add(d, n->file, n->line, n->column, "at most %d unwrap steps", UNWRAP_MAX);
            return;
        }
        if (!ym_doc_kind_of(as != NULL ? as : "json", &u->as) || u->as == YM_DOC_NONE) {
            ym_diag_add(d, n->file, n->line, n->column, "as takes json, xml, html, csv or text");
            return;
        }
        if (ym_reader_compile(n, a, &u->reader, d) != YM_OK) {
            return;
        }
        if (!ym_reader_fits(u->reader, kind)) {
            ym_diag_add(d, n->file, n->line, n->column,
                        "this unwrap step cannot read what comes before it");
        }
        kind = u->as;
        p->unwrap_count++;
    }
}

static enum ym_doc_kind final_kind(const struct ym_reply_plan *p)
{
    return p->unwrap_count > 0 ? p->unwrap[p->unwrap_count - 1].as : p->kind;
}

static void compile_read(const struct ym_yaml *n, struct ym_reply_plan *p, struct ym_arena *a,
                         struct ym_diag *d)
{
    struct ym_read *r = &p->reads[p->read_count];

    if (p->read_count == YM_RULES_READS - 2) {
        ym_diag_add(d, n->file, n->line, n->column, "at most %d reads", YM_RULES_READS - 2);
        return;
    }
    r->name = ym_arena_strz(a, n->key->text.p);
    if (r->name == NULL) {
        ym_diag_add(d, n->file, n->line, n->column, "out of memory");
        return;
    }
    if (ym_reader_compile(n, a, &r->reader, d) != YM_OK) {
        return;
    }
    /* What only fits the answer as it came (a fault beside an unwrapped result) is read there. */
    r->outer = ym_reader_outer(r->reader) || !ym_reader_fits(r->reader, final_kind(p));
    if (r->outer && !ym_reader_fits(r->reader, p->kind)) {
        ym_diag_add(d, n->file, n->line, n->column,
                    "%s cannot be read this way from this kind of answer; see format and unwrap",
                    r->name);
    }
    p->read_count++;
}

static bool has_read(const struct ym_reply_plan *p, const char *name)
{
    for (size_t i = 0; i < p->read_count; i++) {
        if (strcmp(p->reads[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A reader of ours, written as an adapter would write it. */
static const struct ym_reader *own_reader(const char *yaml, struct ym_arena *a, struct ym_diag *d)
{
    struct ym_yaml *node = NULL;
    const struct ym_reader *r = NULL;

    if (ym_yaml_parse(ym_str_of(yaml), "built-in", a, &node, NULL) == YM_OK) {
        ym_reader_compile(node, a, &r, d);
    }
    return r;
}

/* fault_code and fault of SOAP 1.1 and 1.2, readable in every XML reply; `outer` as unwrap fails. */
static void add_faults(struct ym_reply_plan *p, struct ym_arena *a, struct ym_diag *d)
{
    static const struct {
        const char *name, *yaml;
    } faults[] = {
        {"fault_code", "{ xpath: \"//Fault/faultcode | //Fault/Code/Subcode/Value | "
                       "//Fault[not(Code/Subcode)]/Code/Value\" }"},
        {"fault", "{ xpath: \"//Fault/faultstring | //Fault/Reason/Text\" }"},
    };

    if (p->kind != YM_DOC_XML) {
        return;
    }
    p->fault = own_reader("{ xpath: \"boolean(/Envelope/Body/Fault)\", outer: true }", a, d);
    for (size_t i = 0; i < YM_COUNT(faults); i++) {
        if (!has_read(p, faults[i].name)) {
            p->reads[p->read_count].name = faults[i].name;
            p->reads[p->read_count].reader = own_reader(faults[i].yaml, a, d);
            p->reads[p->read_count].outer = true;
            if (p->reads[p->read_count].reader == NULL) {
                ym_diag_add(d, "built-in", 0, 0, "out of memory");
                return;
            }
            p->read_count++;
        }
    }
}

static void compile_charset(const struct ym_yaml *node, struct ym_reply_plan *p, struct ym_diag *d)
{
    const struct ym_yaml *forced = ym_yaml_get(node, "charset");

    if (forced != NULL) {
        p->forced = forced->kind == YM_YAML_SCALAR ? ym_doc_charset(forced->text) : NULL;
        if (p->forced == NULL) {
            ym_diag_add(d, forced->file, forced->line, forced->column,
                        "charset takes utf-8, gb18030, gbk, gb2312, big5 or windows-1252");
        }
    }
}

ym_status ym_reply_compile(const struct ym_system *sys, const struct ym_operation *op,
                           struct ym_arena *a, const struct ym_reply_plan **ret, struct ym_diag *d)
{
    static const char *const keys[] = {"format", "charset", "unwrap", "read", "outcomes", NULL};
    size_t before = d->total;
    struct ym_reply_plan *p = ym_arena_alloc(a, sizeof(*p));
    const struct ym_yaml *node = reply_node(sys, op, d);
    const struct ym_yaml *read = ym_yaml_get(node, "read");
    const char *format = ym_yaml_text(node, "format");

    if (p == NULL) {
        return YM_ENOMEM;
    }
    if (node != NULL && node->kind != YM_YAML_MAP) {
        ym_diag_add(d, node->file, node->line, node->column,
                    "reply is a map, or the name of an operation whose reply it shares");
        return YM_EINVAL;
    }
    p->idempotent = op->idempotent;
    p->kind = default_kind(sys->transport);
    p->fallback = sys->settings.charset != NULL ? ym_arena_strz(a, sys->settings.charset) : NULL;
    if (p->fallback == NULL && sys->settings.charset != NULL) {
        return YM_ENOMEM;
    }
    if (node != NULL) {
        ym_yaml_only(node, keys, d);
    }
    if (format != NULL && !ym_doc_kind_of(format, &p->kind)) {
        ym_diag_add(d, node->file, node->line, node->column,
                    "format takes json, xml, html, text, csv or none");
    }
    compile_charset(node, p, d);
    compile_unwrap(ym_yaml_get(node, "unwrap"), p, a, d);
    if (read != NULL && read->kind != YM_YAML_MAP) {
        ym_diag_add(d, read->file, read->line, read->column, "read is a map of names to readers");
    }
    for (const struct ym_yaml *n = read != NULL && read->kind == YM_YAML_MAP ? read->child : NULL;
         n != NULL; n = n->next) {
        compile_read(n, p, a, d);
    }
    add_faults(p, a, d);
    ym_rules_compile(ym_yaml_get(node, "outcomes"), p->reads, p->read_count, a, &p->rules, d);
    if (d->total != before) {
        return YM_EINVAL;
    }
    *ret = p;
    return YM_OK;
}

void ym_reply_check(const struct ym_system *sys, const struct ym_operation *op, struct ym_diag *d)
{
    const struct ym_reply_plan *plan = NULL;
    struct ym_arena *a = ym_arena_open();

    if (a == NULL || ym_reply_compile(sys, op, a, &plan, d) == YM_ENOMEM) {
        ym_diag_add(d, sys->file, 0, 0, "out of memory");
    }
    ym_arena_close(a);
}

/* ---- judging ---- */

/* IMF-fixdate of RFC 9110 §5.6.7, "Sun, 06 Nov 1994 08:49:37 GMT"; the obsolete forms are not read. */
static bool http_date(const char *s, int64_t *ret_ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4] = {0}, iso[YM_TIME_TEXT];
    const char *at;

    if (strlen(s) != 29 || strcmp(s + 25, " GMT") != 0 || s[4] != ' ' || s[7] != ' ') {
        return false;
    }
    memcpy(month, s + 8, 3);
    at = strstr(months, month);
    if (at == NULL || (at - months) % 3 != 0) {
        return false;
    }
    snprintf(iso, sizeof(iso),
             "%.4s-%02d-%.2s"
             "T%.8sZ",
             s + 12, (int)((at - months) / 3 + 1), s + 5, s + 17);
    return ym_time_parse(ym_str_of(iso), 0, ret_ms);
}

/* Retry-After: seconds, or an HTTP date relative to the answer's own Date. 0 = unsaid. */
static int64_t retry_after(const struct ym_answer *in)
{
    const char *text = ym_answer_header(in, "retry-after");
    const char *date = ym_answer_header(in, "date");
    int64_t at = 0, now = 0, ms = 0;

    if (text == NULL) {
        return 0;
    }
    if (ym_int_parse(ym_str_of(text), &ms)) {
        ms = ms > AFTER_MAX_MS / 1000 ? AFTER_MAX_MS : ms * 1000;
    } else if (http_date(text, &at)) {
        now = date != NULL && http_date(date, &now) ? now : ym_now_ms();
        ms = at - now;
    }
    return ms < 0 ? 0 : ms > AFTER_MAX_MS ? AFTER_MAX_MS : ms;
}

/* At most MESSAGE_MAX characters on one line. */
static const char *tidy_message(const char *text, struct ym_arena *a)
{
    char *out = ym_arena_strz(a, text);
    size_t chars = 0;

    for (char *p = out; p != NULL && *p != '\0'; p++) {
        chars += ((unsigned char)*p & 0xC0) != 0x80;
        if (chars > MESSAGE_MAX) {
            *p = '\0';
            break;
        }
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            *p = ' ';
        }
    }
    return out;
}

/* An identifier that lost characters in decoding is no identifier. */
static const char *sound(const char *text)
{
    return text != NULL && strstr(text, "\xEF\xBF\xBD") == NULL ? text : NULL;
}

/* The document after every unwrap step; sets unreadable when a step finds what it cannot read. */
static ym_status unwrap(const struct ym_reply_plan *p, struct ym_answer *in, struct ym_arena *a,
                        bool *unreadable)
{
    for (size_t i = 0; i < p->unwrap_count && in->doc != NULL; i++) {
        struct ym_doc *next = NULL;
        const char *text = NULL;
        ym_status rc = ym_reader_doc(p->unwrap[i].reader, in, p->unwrap[i].as, a, &next);

        if (rc == YM_OK && next == NULL) {
            rc = ym_reader_text(p->unwrap[i].reader, in, a, &text);
            *unreadable |= text != NULL;
        }
        if (rc != YM_OK) {
            return rc;
        }
        in->doc = next;
    }
    return YM_OK;
}

static ym_status read_all(const struct ym_reply_plan *p, const struct ym_answer *in,
                          struct ym_arena *a, const char **values, struct ym_judgement *ret)
{
    ret->captured = ym_arena_alloc(a, (p->read_count + 1) * sizeof(*ret->captured));
    if (ret->captured == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; i < p->read_count; i++) {
        const char *name = p->reads[i].name;
        struct ym_answer whole = {in->outer, in->outer, in->headers, in->header_count};
        ym_status rc =
            ym_reader_text(p->reads[i].reader, p->reads[i].outer ? &whole : in, a, &values[i]);

        if (rc != YM_OK) {
            return rc;
        }
        if (strcmp(name, "number") == 0) {
            ret->number = values[i] = sound(values[i]);
        } else if (strcmp(name, "revision") == 0) {
            ret->revision = values[i] = sound(values[i]);
        } else if (strcmp(name, "message") == 0 ||
                   (strcmp(name, "fault") == 0 && ret->message == NULL)) {
            ret->message = values[i];
        } else if (strcmp(name, "field") == 0) {
            ret->field = values[i];
        }
        if (values[i] != NULL) {
            /* copied: the plan may leave the cache before the judgement is used */
            ret->captured[ret->captured_count].name = ym_arena_strz(a, name);
            if (ret->captured[ret->captured_count].name == NULL) {
                return YM_ENOMEM;
            }
            ret->captured[ret->captured_count++].value = values[i];
        }
    }
    return YM_OK;
}

/* Verdict by the first rule that holds, or the default of a reply. */
static void decide(const struct ym_reply_plan *p, const struct ym_case *k,
                   const struct ym_answer *in, const struct ym_err *why, struct ym_arena *a,
                   struct ym_judgement *ret)
{
    const struct ym_rule *rule = ym_rules_find(&p->rules, k);
    const char *stage = k->facts->stage != NULL ? k->facts->stage : "";

    ret->verdict = strcmp(stage, "page") == 0 ? YM_V_RETRY : YM_V_UNKNOWN;
    if (rule != NULL) {
        ret->verdict = rule->then;
        ret->rule_line = rule->line;
        ret->after_ms = rule->after_ms;
        ret->message = rule->message != NULL ? rule->message : ret->message;
    }
    if (ret->verdict != YM_V_OK && ret->after_ms == 0) {
        ret->after_ms = retry_after(in);
    }
    if (ret->message == NULL && k->unreadable && why->message[0] != '\0') {
        ret->message = why->message;
    }
    if (ret->message != NULL) {
        ret->message = tidy_message(ret->message, a);
    }
}

static ym_status judge_reply(const struct ym_reply_plan *p, const struct ym_facts *facts,
                             struct ym_arena *a, struct ym_judgement *ret, struct ym_err *err)
{
    const struct ym_doc_charsets cs = {p->forced, facts->charset, p->fallback};
    const char *values[YM_RULES_READS] = {NULL};
    struct ym_err why = {0};
    struct ym_doc doc;
    struct ym_answer in = {&doc, &doc, facts->headers, facts->header_count};
    struct ym_case k = {facts, values, false, false};
    const char *fault = NULL;
    ym_status rc = ym_sha256_hex(facts->body, ret->digest);

    if (rc == YM_OK) {
        rc = ym_doc_open(p->kind, facts->body, &cs, a, &doc, &why);
        ret->replaced = doc.replaced;
    }
    if (rc == YM_ENOMEM) {
        return ym_err_set(err, rc, "out of memory");
    }
    k.unreadable = rc != YM_OK;
    rc = unwrap(p, &in, a, &k.unreadable);
    if (rc == YM_OK && p->fault != NULL) {
        rc = ym_reader_text(p->fault, &in, a, &fault);
        k.fault = fault != NULL && strcmp(fault, "true") == 0;
    }
    if (rc == YM_OK) {
        rc = read_all(p, &in, a, values, ret);
    }
    if (rc != YM_OK) {
        return ym_err_set(err, rc, "out of memory");
    }
    decide(p, &k, &in, &why, a, ret);
    return YM_OK;
}

/* Nothing was submitted, so that nothing can be unclear. */
static ym_status judge_page(const struct ym_reply_plan *p, const struct ym_facts *facts,
                            struct ym_arena *a, struct ym_judgement *ret, struct ym_err *err)
{
    ym_status rc = judge_reply(p, facts, a, ret, err);

    if (rc == YM_OK && ret->verdict == YM_V_UNKNOWN) {
        ret->verdict = YM_V_RETRY;
    }
    return rc;
}

ym_status ym_judge_plan(const struct ym_reply_plan *plan, const struct ym_facts *facts,
                        struct ym_arena *a, struct ym_judgement *ret, struct ym_err *err)
{
    memset(ret, 0, sizeof(*ret));
    switch (facts->sent) {
    case YM_NOT_SENT:
        if (facts->status != 0) { /* a form's page came and was not what was asked for */
            return judge_page(plan, facts, a, ret, err);
        }
        ret->verdict = YM_V_UNAVAILABLE;
        return YM_OK;
    case YM_SENT_NO_REPLY:
        ret->verdict = plan->idempotent ? YM_V_RETRY : YM_V_UNKNOWN;
        return YM_OK;
    default:
        return judge_reply(plan, facts, a, ret, err);
    }
}

/* ---- the cache of plans ---- */

struct cached {
    uint64_t key;
    struct ym_arena *arena;
    const struct ym_reply_plan *plan;
};

static struct cached cache[PLANS_MAX];
static size_t cache_count;

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    for (const unsigned char *p = data; n > 0; n--, p++) {
        h = (h ^ *p) * 1099511628211u;
    }
    return h;
}

static uint64_t mix_text(uint64_t h, const char *z)
{
    return z != NULL ? mix(h, z, strlen(z) + 1) : mix(h, "\1", 1);
}

/* FNV-1a over every text, kind and line of the tree. */
static uint64_t mix_node(uint64_t h, const struct ym_yaml *n)
{
    for (; n != NULL; n = n->next) {
        h = mix(h, &n->kind, sizeof(n->kind));
        h = mix(h, &n->line, sizeof(n->line));
        h = n->key != NULL ? mix(h, n->key->text.p, n->key->text.n) : h;
        h = n->text.p != NULL ? mix(h, n->text.p, n->text.n + 1) : h;
        h = mix_node(h, n->child);
        h = mix(h, "\2", 1);
    }
    return h;
}

static uint64_t plan_key(const struct ym_system *sys, const struct ym_operation *op)
{
    const struct ym_yaml *reply = ym_yaml_get(op->node, "reply");
    uint64_t h = mix_text(mix_text(14695981039346656037u, sys->id), op->name);

    h = mix_text(mix_text(h, sys->transport), sys->settings.charset);
    h = mix(h, &op->idempotent, sizeof(op->idempotent));
    if (reply != NULL && reply->kind == YM_YAML_SCALAR) {
        reply =
            ym_yaml_get(ym_yaml_get(ym_yaml_get(sys->node, "operations"), reply->text.p), "reply");
    }
    return reply != NULL ? mix_node(mix(h, &reply->line, sizeof(reply->line)), reply->child) : h;
}

void ym_reply_forget(void)
{
    while (cache_count > 0) {
        ym_arena_close(cache[--cache_count].arena);
    }
}

static ym_status plan_of(const struct ym_system *sys, const struct ym_operation *op,
                         const struct ym_reply_plan **ret, struct ym_err *err)
{
    uint64_t key = plan_key(sys, op);
    struct ym_arena *a;
    struct ym_diag d;
    ym_status rc;

    for (size_t i = 0; i < cache_count; i++) {
        if (cache[i].key == key) {
            *ret = cache[i].plan;
            return YM_OK;
        }
    }
    a = ym_arena_open();
    if (a == NULL) {
        return ym_err_set(err, YM_ENOMEM, "out of memory");
    }
    ym_diag_init(&d);
    rc = ym_reply_compile(sys, op, a, ret, &d);
    if (rc != YM_OK) {
        if (d.count > 0 && err != NULL) {
            *err = d.items[0];
        } else {
            ym_err_set(err, rc, "out of memory");
        }
        ym_arena_close(a);
    } else {
        if (cache_count == PLANS_MAX) {
            ym_reply_forget();
        }
        cache[cache_count++] = (struct cached){key, a, *ret};
    }
    ym_diag_clear(&d);
    return rc;
}

ym_status ym_judge(const struct ym_system *sys, const struct ym_operation *op,
                   const struct ym_facts *facts, struct ym_arena *a, struct ym_judgement *ret,
                   struct ym_err *err)
{
    const struct ym_reply_plan *plan = NULL;
    ym_status rc;

    memset(ret, 0, sizeof(*ret));
    rc = plan_of(sys, op, &plan, err);
    return rc == YM_OK ? ym_judge_plan(plan, facts, a, ret, err) : rc;
}
