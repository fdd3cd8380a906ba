/* SPDX-License-Identifier: Apache-2.0
 * Loads code tables and code maps from CSV, names every fault at once, and finds rows by hash.
 */
#include "ym_codes.h"
#include "ym_csv.h"
#include "ym_time.h"

#define CODES_DAY_MS 86400000

/* ---- a hash index over rows that begin with their key ---- */

struct index {
    size_t mask;      /* slots − 1; slots is a power of two, at least twice the rows */
    uint32_t slots[]; /* row number + 1; 0 = free */
};

static uint32_t hash_of(const char *z)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *z != '\0'; z++) {
        h = (h ^ (unsigned char)*z) * 16777619u;
    }
    return h ^ (h >> 15);
}

static const char *key_at(const void *rows, size_t row_size, size_t i)
{
    return *(const char *const *)((const char *)rows + i * row_size);
}

static struct index *index_open(struct ym_arena *a, size_t rows)
{
    size_t n = 8;
    struct index *ix = NULL;

    while (n < rows * 2) {
        n *= 2;
    }
    ix = ym_arena_alloc(a, sizeof(*ix) + n * sizeof(ix->slots[0]));
    if (ix != NULL) {
        ix->mask = n - 1;
    }
    return ix;
}

/* The row with key, or SIZE_MAX; *ret_slot gets where it is or would be. */
static size_t index_find(const struct index *ix, const void *rows, size_t row_size, const char *key,
                         size_t *ret_slot)
{
    size_t at = hash_of(key) & ix->mask;

    while (ix->slots[at] != 0 && strcmp(key_at(rows, row_size, ix->slots[at] - 1), key) != 0) {
        at = (at + 1) & ix->mask;
    }
    if (ret_slot != NULL) {
        *ret_slot = at;
    }
    return ix->slots[at] == 0 ? SIZE_MAX : ix->slots[at] - 1;
}

/* ---- cells ---- */

/* Length of a blank at p: ASCII blank, no-break space or ideographic space; 0 = none. */
static size_t blank_at(const char *p, size_t n)
{
    if (n >= 1 && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        return 1;
    }
    if (n >= 2 && memcmp(p, "\xc2\xa0", 2) == 0) {
        return 2;
    }
    return n >= 3 && memcmp(p, "\xe3\x80\x80", 3) == 0 ? 3 : 0;
}

static size_t blank_before(const char *p, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        if (blank_at(p + n - k, k) == k) {
            return k;
        }
    }
    return 0;
}

/* The trimmed cell as text; "" when the column is absent (column −1); NULL when memory is out. */
static const char *cell(const struct ym_csv_row *row, int column, struct ym_arena *a)
{
    struct ym_str s = YM_STR("");
    size_t k = 0;

    if (column < 0) {
        return "";
    }
    s = row->cells[column];
    while ((k = blank_at(s.p, s.n)) > 0) {
        s.p += k;
        s.n -= k;
    }
    while ((k = blank_before(s.p, s.n)) > 0) {
        s.n -= k;
    }
    return ym_arena_str(a, s);
}

/* Finds the named columns; unknown or missing ones become diagnostics. */
static void columns_find(const struct ym_csv *csv, const char *const *names, size_t count,
                         size_t required, int *ret, struct ym_diag *d)
{
    for (size_t i = 0; i < count; i++) {
        ret[i] = ym_csv_column(csv, names[i]);
        if (ret[i] < 0 && i < required) {
            ym_diag_add(d, csv->file, csv->head.line, 0, "the header lacks the column \"%s\"",
                        names[i]);
        }
    }
    for (size_t c = 0; c < csv->head.count; c++) {
        bool known = false;

        for (size_t i = 0; i < count; i++) {
            known = known || ret[i] == (int)c;
        }
        if (!known) {
            ym_diag_add(d, csv->file, csv->head.line, 0,
                        "unknown or repeated column \"%.60s\": remove it", csv->head.cells[c].p);
        }
    }
}

/* File name without folder; with_end keeps what follows the last dot. */
static const char *base_name(const char *path, bool with_end, struct ym_arena *a)
{
    const char *slash = strrchr(path, '/');
    const char *start = slash == NULL ? path : slash + 1;
    const char *dot = with_end ? NULL : strrchr(start, '.');

    return ym_arena_str(
        a, (struct ym_str){start, dot == NULL ? strlen(start) : (size_t)(dot - start)});
}

/* ---- tables ---- */

enum { C_CODE, C_LABEL, C_LABEL_EN, C_PARENT, C_FROM, C_TO, C_LEAF, C_COUNT };
static const char *const code_columns[C_COUNT] = {"code",       "label",    "label_en", "parent",
                                                  "valid_from", "valid_to", "leaf"};

static int64_t day_read(const char *text, bool last, const struct ym_csv *csv, int line,
                        struct ym_diag *d)
{
    int64_t ms = 0;

    if (text[0] == '\0') {
        return 0;
    }
    if (strlen(text) != 10 || !ym_time_parse(ym_str_of(text), YM_CHINA_OFFSET_MIN, &ms)) {
        ym_diag_add(d, csv->file, line, 0, "\"%.40s\" is no day: write 2026-01-31", text);
        return 0;
    }
    return last ? ms + CODES_DAY_MS : ms;
}

static ym_status code_read(const struct ym_csv *csv, const struct ym_csv_row *row, const int *col,
                           struct ym_arena *a, struct ym_code *ret, struct ym_diag *d)
{
    const char *text[C_COUNT] = {NULL};

    for (size_t i = 0; i < C_COUNT; i++) {
        text[i] = cell(row, col[i], a);
        if (text[i] == NULL) {
            return YM_ENOMEM;
        }
    }
    *ret = (struct ym_code){.code = text[C_CODE],
                            .label = text[C_LABEL],
                            .label_en = text[C_LABEL_EN],
                            .parent = text[C_PARENT],
                            .valid_from = day_read(text[C_FROM], false, csv, row->line, d),
                            .valid_to = day_read(text[C_TO], true, csv, row->line, d),
                            .leaf = strcmp(text[C_LEAF], "no") != 0};
    if (ret->code[0] == '\0' || ret->label[0] == '\0') {
        ym_diag_add(d, csv->file, row->line, 0, "a row needs a code and a label");
    }
    if (text[C_LEAF][0] != '\0' && ret->leaf && strcmp(text[C_LEAF], "yes") != 0) {
        ym_diag_add(d, csv->file, row->line, 0, "leaf is \"yes\" or \"no\"");
    }
    if (ret->valid_to != 0 && ret->valid_from >= ret->valid_to) {
        ym_diag_add(d, csv->file, row->line, 0, "valid_to lies before valid_from");
    }
    return YM_OK;
}

static void parents_check(const struct ym_csv *csv, const struct ym_code_table *t,
                          struct ym_diag *d)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *parent = t->codes[i].parent;

        if (parent[0] != '\0' && ym_code_find(t, parent) == NULL) {
            ym_diag_add(d, csv->file, csv->rows[i].line, 0,
                        "the parent \"%.40s\" is no code of this table", parent);
        }
    }
}

ym_status ym_code_table_load(const char *path, struct ym_arena *a, struct ym_code_table *ret,
                             struct ym_diag *d)
{
    struct ym_csv csv = {0};
    struct ym_err err = {0};
    struct ym_code_table t = {0};
    struct ym_code *codes = NULL;
    struct index *ix = NULL;
    int col[C_COUNT];
    size_t faults = d->total;
    ym_status rc = ym_csv_file(path, a, &csv, &err);

    if (rc != YM_OK) {
        ym_diag_add_err(d, &err);
        return rc;
    }
    columns_find(&csv, code_columns, C_COUNT, C_LABEL + 1, col, d);
    if (d->total != faults) {
        return YM_EINVAL;
    }
    codes = ym_arena_alloc(a, csv.count * sizeof(*codes));
    ix = index_open(a, csv.count);
    t = (struct ym_code_table){base_name(path, false, a), ym_arena_strz(a, path), codes, 0, ix};
    if (codes == NULL || ix == NULL || t.name == NULL || t.file == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; i < csv.count; i++) {
        size_t slot = 0, old = 0;

        rc = code_read(&csv, &csv.rows[i], col, a, &codes[i], d);
        if (rc != YM_OK) {
            return rc;
        }
        old = index_find(ix, codes, sizeof(*codes), codes[i].code, &slot);
        if (old == SIZE_MAX) {
            ix->slots[slot] = (uint32_t)i + 1;
        } else {
            ym_diag_add(d, csv.file, csv.rows[i].line, 0,
                        "the code \"%.40s\" is already on line %d: keep one of them", codes[i].code,
                        csv.rows[old].line);
        }
        t.count++;
    }
    parents_check(&csv, &t, d);
    if (d->total != faults) {
        return YM_EINVAL;
    }
    *ret = t;
    return YM_OK;
}

const struct ym_code *ym_code_find(const struct ym_code_table *t, const char *code)
{
    size_t i = index_find(t->index, t->codes, sizeof(*t->codes), code, NULL);

    return i == SIZE_MAX ? NULL : &t->codes[i];
}

bool ym_code_valid_at(const struct ym_code *c, int64_t at_ms)
{
    return (c->valid_from == 0 || at_ms >= c->valid_from) &&
           (c->valid_to == 0 || at_ms < c->valid_to);
}

/* ---- maps ---- */

enum { M_FROM, M_TO, M_LABEL, M_AMBIGUOUS, M_CANDIDATES, M_ASK, M_ASK_ZH, M_ASK_EN, M_COUNT };
static const char *const map_columns[M_COUNT] = {"from",       "to",  "label",  "ambiguous",
                                                 "candidates", "ask", "ask_zh", "ask_en"};

/* "true=10|false=11" → alternating answer, target, NULL. NULL when it is malformed or memory is out. */
static const char *const *answers_read(const char *text, struct ym_arena *a)
{
    size_t pairs = 1, n = 0;
    const char **list = NULL;

    for (const char *p = text; *p != '\0'; p++) {
        pairs += *p == '|';
    }
    list = ym_arena_alloc(a, (pairs * 2 + 1) * sizeof(*list));
    for (const char *p = text; list != NULL && pairs-- > 0;) {
        size_t len = strcspn(p, "|");
        const char *eq = memchr(p, '=', len);

        if (eq == NULL || eq == p || eq + 1 == p + len) {
            return NULL;
        }
        list[n] = ym_arena_str(a, (struct ym_str){p, (size_t)(eq - p)});
        list[n + 1] = ym_arena_str(a, (struct ym_str){eq + 1, len - (size_t)(eq + 1 - p)});
        if (list[n] == NULL || list[n + 1] == NULL) {
            return NULL;
        }
        for (size_t i = 0; i < n; i += 2) {
            if (strcmp(list[i], list[n]) == 0) {
                return NULL;
            }
        }
        n += 2;
        p += len + 1;
    }
    return n >= 4 ? (const char *const *)list : NULL;
}

static void row_check(const struct ym_csv *csv, const struct ym_code_row *r, const char *ambiguous,
                      const char *candidates, struct ym_diag *d)
{
    if (r->from[0] == '\0') {
        ym_diag_add(d, csv->file, r->line, 0, "a row needs a value in \"from\"");
    }
    if (!r->ambiguous && ambiguous[0] != '\0' && strcmp(ambiguous, "no") != 0) {
        ym_diag_add(d, csv->file, r->line, 0, "ambiguous is \"yes\" or \"no\"");
    }
    if (!r->ambiguous && r->to[0] == '\0') {
        ym_diag_add(d, csv->file, r->line, 0,
                    "\"to\" is empty: give the target, or leave the row out to refuse the value");
    }
    if (!r->ambiguous && (candidates[0] != '\0' || r->ask[0] != '\0')) {
        ym_diag_add(d, csv->file, r->line, 0, "candidates and ask need ambiguous = yes");
    }
    if (r->ambiguous && (r->answers == NULL || r->ask[0] == '\0' || r->ask_zh[0] == '\0')) {
        ym_diag_add(d, csv->file, r->line, 0,
                    "an ambiguous row needs ask, ask_zh and candidates such as "
                    "\"true=10|false=11\" with different answers");
    }
}

static ym_status row_read(const struct ym_csv *csv, const struct ym_csv_row *row, const int *col,
                          struct ym_arena *a, struct ym_code_row *ret, struct ym_diag *d)
{
    const char *text[M_COUNT] = {NULL};

    for (size_t i = 0; i < M_COUNT; i++) {
        text[i] = cell(row, col[i], a);
        if (text[i] == NULL) {
            return YM_ENOMEM;
        }
    }
    *ret = (struct ym_code_row){.from = text[M_FROM],
                                .to = text[M_TO],
                                .label = text[M_LABEL],
                                .ambiguous = strcmp(text[M_AMBIGUOUS], "yes") == 0,
                                .ask = text[M_ASK],
                                .ask_zh = text[M_ASK_ZH],
                                .ask_en = text[M_ASK_EN],
                                .line = row->line};
    if (ret->ambiguous) {
        ret->answers = answers_read(text[M_CANDIDATES], a);
    }
    row_check(csv, ret, text[M_AMBIGUOUS], text[M_CANDIDATES], d);
    return YM_OK;
}

ym_status ym_code_map_load(const char *path, struct ym_arena *a, struct ym_code_map *ret,
                           struct ym_diag *d)
{
    struct ym_csv csv = {0};
    struct ym_err err = {0};
    struct ym_code_map m = {0};
    struct ym_code_row *rows = NULL;
    struct index *ix = NULL;
    int col[M_COUNT];
    size_t faults = d->total;
    ym_status rc = ym_csv_file(path, a, &csv, &err);

    if (rc != YM_OK) {
        ym_diag_add_err(d, &err);
        return rc;
    }
    columns_find(&csv, map_columns, M_COUNT, M_TO + 1, col, d);
    if (d->total != faults) {
        return YM_EINVAL;
    }
    rows = ym_arena_alloc(a, csv.count * sizeof(*rows));
    ix = index_open(a, csv.count);
    m = (struct ym_code_map){base_name(path, true, a), ym_arena_strz(a, path), rows, 0, ix};
    if (rows == NULL || ix == NULL || m.name == NULL || m.file == NULL) {
        return YM_ENOMEM;
    }
    for (size_t i = 0; i < csv.count; i++) {
        size_t slot = 0, old = 0;

        rc = row_read(&csv, &csv.rows[i], col, a, &rows[i], d);
        if (rc != YM_OK) {
            return rc;
        }
        old = index_find(ix, rows, sizeof(*rows), rows[i].from, &slot);
        if (old == SIZE_MAX) {
            ix->slots[slot] = (uint32_t)i + 1;
        } else {
            ym_diag_add(d, csv.file, rows[i].line, 0,
                        "the value \"%.40s\" is already on line %d: keep one of them", rows[i].from,
                        rows[old].line);
        }
        m.count++;
    }
    if (d->total != faults) {
        return YM_EINVAL;
    }
    *ret = m;
    return YM_OK;
}

const struct ym_code_row *ym_code_map_find(const struct ym_code_map *m, const char *from)
{
    size_t i = index_find(m->index, m->rows, sizeof(*m->rows), from, NULL);

    return i == SIZE_MAX ? NULL : &m->rows[i];
}
