/* SPDX-License-Identifier: Apache-2.0
 * Private to ym_render*.c: one rendering under way and what its parts share.
 */
#ifndef YM_RENDER_INT_H
#define YM_RENDER_INT_H

#include "ym_render.h"

#define YM_RENDER_BYTES (24u << 20) /* ceiling of one rendered body */
#define YM_RENDER_HEADERS 64
#define YM_RENDER_PAIRS 4000
#define YM_RENDER_DEPTH 12

struct ym_job {
    const struct ym_system *sys;
    const struct ym_operation *op;
    const struct ym_render_ctx *given;
    struct ym_map_ctx map; /* given->map with the system's own constants */
    const char *charset;   /* what the system reads */
    struct ym_arena *a;
    struct ym_wire *w;
    struct ym_problems *problems;
    struct ym_err *err;
};

/* Growing pairs in the arena. */
struct ym_pairs {
    struct ym_pair *items;
    size_t count, cap;
};

ym_status ym_job_nomem(struct ym_job *j);
/* Scalar setting of the operation, else of `connection:`, else def. */
const char *ym_job_text(const struct ym_job *j, const char *key, const char *def);
/* Runs the table at a place; an operation without it yields an empty object. Kept by the arena. */
ym_status ym_job_table(struct ym_job *j, const char *place, json_t **ret);
/* The same, a new reference: for what is turned into bytes and not needed after that. */
ym_status ym_job_table_own(struct ym_job *j, const char *place, json_t **ret);
const struct ym_map *ym_job_map(const struct ym_job *j, const char *place);
/*
 * Fills {ref} {number} {revision} {op} {type} percent-encoded; {name} is name as it is (NULL: not
 * allowed). YM_EINVAL when one is empty: the system has given no number yet.
 */
ym_status ym_job_fill(struct ym_job *j, const char *template, const char *name, const char **ret);
/* endpoint + "/" + path, placeholders filled. */
ym_status ym_job_url(struct ym_job *j, const char *path, const char **ret);
/* UTF-8 into the system's charset; a character that it lacks is a problem at its pointer. */
ym_status ym_job_encode(struct ym_job *j, struct ym_str utf8, struct ym_str *ret);
/* Buffer → bytes of the arena; the buffer is cleared. Answers the buffer's failure. */
ym_status ym_job_take(struct ym_job *j, struct ym_buf *b, struct ym_str *ret);
ym_status ym_job_header(struct ym_job *j, const char *name, const char *value);
bool ym_job_has_header(const struct ym_job *j, const char *name);
/* Every member of the table as a header. */
ym_status ym_job_headers(struct ym_job *j, const char *place);

ym_status ym_pairs_add(struct ym_job *j, struct ym_pairs *p, const char *name, const char *value);
/* The tree as pairs: a.b, list[0].c, arrays of scalars repeat; null becomes a NULL value. */
ym_status ym_pairs_flatten(struct ym_job *j, const json_t *doc, struct ym_pairs *p);
/* Pairs in the system's charset; a character that it lacks is a problem. */
ym_status ym_job_form(struct ym_job *j, const struct ym_pairs *p, struct ym_str *ret);
ym_status ym_url_append(struct ym_job *j, const char *query);

/* `sign:` of the operation over what is rendered; nothing without one. doc: the JSON body or NULL. */
ym_status ym_job_sign(struct ym_job *j, json_t *doc, struct ym_pairs *form);
/* Signature values that must stand in the SOAP header: adds them to header. */
ym_status ym_job_sign_soap(struct ym_job *j, json_t *header);
ym_status ym_job_dump(struct ym_job *j, const json_t *doc, struct ym_str *ret);
/* The table at a place as JSON at once: for a body that nobody adds to. */
ym_status ym_job_write(struct ym_job *j, const char *place, struct ym_str *ret);
/* Does `sign:` put its values into the body? */
bool ym_job_signs_body(const struct ym_job *j);

ym_status ym_render_http(struct ym_job *j);
ym_status ym_render_soap(struct ym_job *j);
ym_status ym_render_form(struct ym_job *j);
ym_status ym_render_sql(struct ym_job *j);
ym_status ym_render_file(struct ym_job *j);
ym_status ym_render_card(struct ym_job *j);

bool ym_sql_name(struct ym_str name); /* [A-Za-z_][A-Za-z0-9_]*, at most three joined by dots */

#endif
