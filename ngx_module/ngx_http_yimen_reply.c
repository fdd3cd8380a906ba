/* SPDX-License-Identifier: Apache-2.0
 * What the store answers, read without trust.
 */
#include "ngx_http_yimen_reply.h"

#include "ym_check.h"

#include <string.h>


static bool ngx_http_yimen_reply_digits(const redisReply *reply,
    int64_t *ret);
static bool ngx_http_yimen_reply_after(struct ym_str text, size_t *i,
    const char *name);
static bool ngx_http_yimen_reply_quoted(struct ym_str text, size_t *i,
    struct ym_str *ret);
static size_t ngx_http_yimen_reply_string_end(struct ym_str text,
    size_t from);
static size_t ngx_http_yimen_reply_array_end(struct ym_str text, size_t from);


struct ym_str
ngx_http_yimen_reply_str(const redisReply *reply)
{
    if (reply == NULL
        || (reply->type != REDIS_REPLY_STRING
            && reply->type != REDIS_REPLY_STATUS))
    {
        return YM_STR("");
    }

    return (struct ym_str){ reply->str, reply->len };
}


int64_t
ngx_http_yimen_reply_int(const redisReply *reply)
{
    size_t   i;
    int64_t  n;

    if (reply == NULL) {
        return 0;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0
        || reply->len > 18)
    {
        return 0;
    }

    n = 0;

    for (i = (reply->str[0] == '-'); i < reply->len; i++) {
        if (reply->str[i] < '0' || reply->str[i] > '9') {
            return 0;
        }

        n = n * 10 + (reply->str[i] - '0');
    }

    return (reply->str[0] == '-') ? -n : n;
}


struct ym_str
ngx_http_yimen_fcall_word(const redisReply *reply, size_t i)
{
    const redisReply  *item;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || i >= (size_t) reply->elements)
    {
        return YM_STR("");
    }

    item = reply->element[i];

    return (item->type == REDIS_REPLY_STRING) ? ngx_http_yimen_reply_str(item)
                                              : YM_STR("");
}


redisReply **
ngx_http_yimen_reply_row(const redisReply *reply, size_t n)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || (size_t) reply->elements < n)
    {
        return NULL;
    }

    return reply->element;
}


/* text of digits alone, which fits */

static bool
ngx_http_yimen_reply_digits(const redisReply *reply, int64_t *ret)
{
    size_t   i;
    int64_t  n;

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0
        || reply->len > 18)
    {
        return false;
    }

    n = 0;

    for (i = 0; i < reply->len; i++) {
        if (reply->str[i] < '0' || reply->str[i] > '9') {
            return false;
        }

        n = n * 10 + (reply->str[i] - '0');
    }

    *ret = n;

    return true;
}


/* ---- sessions ---- */

ngx_http_yimen_reply_e
ngx_http_yimen_reply_session(const redisReply *reply,
    ngx_http_yimen_reply_session_t *ret)
{
    redisReply  **e;

    if (reply->type == REDIS_REPLY_NIL) {
        return NGX_HTTP_YIMEN_REPLY_NONE;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        return NGX_HTTP_YIMEN_REPLY_REFUSED;
    }

    e = ngx_http_yimen_reply_row(reply, 7);

    if (e == NULL || reply->elements != 7
        || e[0]->type != REDIS_REPLY_STRING
        || !ngx_http_yimen_reply_digits(e[2], &ret->created)
        || !ngx_http_yimen_reply_digits(e[3], &ret->ends)
        || !ngx_http_yimen_reply_digits(e[4], &ret->age)
        || !ngx_http_yimen_reply_digits(e[5], &ret->left)
        || !ngx_http_yimen_reply_digits(e[6], &ret->live))
    {
        return NGX_HTTP_YIMEN_REPLY_STRANGE;
    }

    ret->sealed = ngx_http_yimen_reply_str(e[0]);

    return NGX_HTTP_YIMEN_REPLY_THERE;
}


bool
ngx_http_yimen_reply_held(const redisReply *row,
    ngx_http_yimen_reply_held_t *ret)
{
    redisReply  **e;

    e = ngx_http_yimen_reply_row(row, 5);

    if (e == NULL || row->elements != 5) {
        return false;
    }

    ret->digest = ngx_http_yimen_reply_str(e[0]);
    ret->sealed = ngx_http_yimen_reply_str(e[1]);
    ret->created = ngx_http_yimen_reply_int(e[2]);
    ret->used = ngx_http_yimen_reply_int(e[3]);
    ret->ends = ngx_http_yimen_reply_int(e[4]);

    return ret->digest.n == YM_SHA256_HEX - 1
           && strspn(ret->digest.p, "0123456789abcdef") == ret->digest.n;
}


/* ---- news of sessions ---- */

ngx_http_yimen_news_e
ngx_http_yimen_reply_news(const redisReply *reply, const char *channel,
    const redisReply **ret_keys)
{
    redisReply  **e;

    e = ngx_http_yimen_reply_row(reply, 2);

    if (e == NULL) {
        return NGX_HTTP_YIMEN_NEWS_STRANGE;
    }

    if (ngx_http_yimen_reply_is(e[0], "pong")) {
        return NGX_HTTP_YIMEN_NEWS_PONG;
    }

    if (reply->elements != 3 || !ngx_http_yimen_reply_is(e[1], channel)) {
        return NGX_HTTP_YIMEN_NEWS_STRANGE;
    }

    if (ngx_http_yimen_reply_is(e[0], "subscribe")) {
        return NGX_HTTP_YIMEN_NEWS_SUBSCRIBED;
    }

    if (!ngx_http_yimen_reply_is(e[0], "message")) {
        return NGX_HTTP_YIMEN_NEWS_STRANGE;
    }

    if (e[2]->type == REDIS_REPLY_NIL) {
        return NGX_HTTP_YIMEN_NEWS_ALL;
    }

    *ret_keys = e[2];

    return (e[2]->type == REDIS_REPLY_ARRAY) ? NGX_HTTP_YIMEN_NEWS_CHANGED
                                             : NGX_HTTP_YIMEN_NEWS_STRANGE;
}


bool
ngx_http_yimen_reply_key(const redisReply *key,
    unsigned char digest[YM_SHA256_LEN])
{
    size_t  n;

    n = 2 * YM_SHA256_LEN;

    return key->type == REDIS_REPLY_STRING && (size_t) key->len > n
           && ym_unhex((struct ym_str){ key->str + key->len - n, n }, digest);
}


bool
ngx_http_yimen_reply_is(const redisReply *reply, const char *text)
{
    return ym_str_is(ngx_http_yimen_reply_str(reply), text);
}


/* ---- revoked tokens ---- */

bool
ngx_http_yimen_reply_last(const redisReply *reply, int64_t *ret)
{
    redisReply  **e;

    e = ngx_http_yimen_reply_row(reply, 1);

    return e != NULL && ngx_http_yimen_reply_digits(e[0], ret);
}


bool
ngx_http_yimen_reply_mark(const redisReply *item,
    ngx_http_yimen_reply_mark_t *ret)
{
    redisReply  **e;

    e = ngx_http_yimen_reply_row(item, 4);

    if (e == NULL || item->elements != 4
        || e[0]->type != REDIS_REPLY_STRING
        || !ngx_http_yimen_reply_digits(e[1], &ret->number)
        || !ngx_http_yimen_reply_digits(e[2], &ret->at)
        || !ngx_http_yimen_reply_digits(e[3], &ret->end))
    {
        return false;
    }

    ret->known = e[0]->len == YM_SHA256_HEX - 1
                 && ym_unhex(ngx_http_yimen_reply_str(e[0]), ret->digest);

    return true;
}


/* ---- records ---- */

const redisReply *
ngx_http_yimen_reply_record(redisReply **e, ngx_http_yimen_record_t *ret,
    struct ym_str *ret_sealed)
{
    if (e[9]->type != REDIS_REPLY_ARRAY
        || (size_t) e[9]->elements > YM_TARGETS_MAX)
    {
        return NULL;
    }

    ret->type = ngx_http_yimen_reply_str(e[0]);
    ret->owner = ngx_http_yimen_reply_str(e[1]);
    ret->org = ngx_http_yimen_reply_str(e[2]);
    ret->area = ngx_http_yimen_reply_str(e[3]);
    ret->created = ngx_http_yimen_reply_int(e[4]);
    ret->updated = ngx_http_yimen_reply_int(e[5]);
    ret->revision = ngx_http_yimen_reply_int(e[6]);
    ret->withdrawn = ngx_http_yimen_reply_int(e[7]);
    ret->count = (size_t) e[9]->elements;

    *ret_sealed = ngx_http_yimen_reply_str(e[8]);

    return e[9];
}


bool
ngx_http_yimen_reply_delivery(const redisReply *row,
    ngx_http_yimen_delivery_t *ret)
{
    redisReply     **e;
    struct ym_str    letter;

    e = ngx_http_yimen_reply_row(row, NGX_HTTP_YIMEN_DELIVERY_FIELDS);

    if (e == NULL) {
        return false;
    }

    letter = ngx_http_yimen_reply_str(e[1]);

    if (letter.n != 1) {
        return false;
    }

    ret->system = ngx_http_yimen_reply_str(e[0]);
    ret->letter = letter.p[0];
    ret->wanted = ngx_http_yimen_reply_int(e[2]);
    ret->has = ngx_http_yimen_reply_int(e[3]);
    ret->attempts = ngx_http_yimen_reply_int(e[4]);
    ret->next_ms = ngx_http_yimen_reply_int(e[5]);
    ret->number = ngx_http_yimen_reply_str(e[6]);
    ret->digest = ngx_http_yimen_reply_str(e[7]);
    ret->problem = ngx_http_yimen_reply_str(e[9]);

    return true;
}


bool
ngx_http_yimen_reply_envelope(struct ym_str text,
    ngx_http_yimen_envelope_t *ret)
{
    size_t  i, end;

    ret->attachments = YM_STR("");
    ret->reason = YM_STR("");
    i = 0;

    if (!ngx_http_yimen_reply_after(text, &i, "{\"at\":")
        || !ngx_http_yimen_reply_quoted(text, &i, &ret->at)
        || !ngx_http_yimen_reply_after(text, &i, ",\"by\":")
        || !ngx_http_yimen_reply_quoted(text, &i, &ret->by))
    {
        return false;
    }

    if (ngx_http_yimen_reply_after(text, &i, ",\"reason\":")
        && !ngx_http_yimen_reply_quoted(text, &i, &ret->reason))
    {
        return false;
    }

    if (ngx_http_yimen_reply_after(text, &i, ",\"attachments\":")) {

        if (i >= text.n || text.p[i] != '[') {
            return false;
        }

        end = ngx_http_yimen_reply_array_end(text, i);
        ret->attachments = (struct ym_str){ text.p + i, end - i };
        i = end;
    }

    if (!ngx_http_yimen_reply_after(text, &i, ",\"data\":")
        || text.n < i + 3 || text.p[text.n - 1] != '}')
    {
        return false;
    }

    ret->data = (struct ym_str){ text.p + i, text.n - i - 1 };

    return true;
}


/* the name at *i, which goes behind it */

static bool
ngx_http_yimen_reply_after(struct ym_str text, size_t *i, const char *name)
{
    size_t  n;

    n = strlen(name);

    if (text.n - *i < n || memcmp(text.p + *i, name, n) != 0) {
        return false;
    }

    *i += n;

    return true;
}


/* the JSON string at *i, quotes and all */

static bool
ngx_http_yimen_reply_quoted(struct ym_str text, size_t *i, struct ym_str *ret)
{
    size_t  end;

    if (*i >= text.n || text.p[*i] != '"') {
        return false;
    }

    end = ngx_http_yimen_reply_string_end(text, *i);

    if (end >= text.n) {
        return false;
    }

    *ret = (struct ym_str){ text.p + *i, end + 1 - *i };
    *i = end + 1;

    return true;
}


/* index of the quote that ends the JSON string whose first quote is at from */

static size_t
ngx_http_yimen_reply_string_end(struct ym_str text, size_t from)
{
    size_t  i;

    for (i = from + 1; i < text.n && text.p[i] != '"'; i++) {
        if (text.p[i] == '\\') {
            i++;
        }
    }

    return i;
}


/* index behind the JSON array that begins at from */

static size_t
ngx_http_yimen_reply_array_end(struct ym_str text, size_t from)
{
    size_t  i, depth;

    depth = 0;

    for (i = from; i < text.n; i++) {

        switch (text.p[i]) {

        case '"':
            i = ngx_http_yimen_reply_string_end(text, i);
            break;

        case '[':
        case '{':
            depth++;
            break;

        case ']':
        case '}':
            if (--depth == 0) {
                return i + 1;
            }
            break;

        default:
            break;
        }
    }

    return text.n;
}


/* ---- lists ---- */

redisReply *
ngx_http_yimen_reply_pick(redisReply *const *lists, size_t count,
    size_t *from, size_t by, size_t width, bool oldest, size_t *ret_list)
{
    size_t        i;
    int64_t       n, best;
    redisReply   *found, **rows, **row;

    found = NULL;
    best = 0;

    for (i = 0; i < count; i++) {
        rows = ngx_http_yimen_reply_row(lists[i], from[i] + 1);

        if (rows == NULL) {
            continue;
        }

        row = ngx_http_yimen_reply_row(rows[from[i]], width);

        if (row == NULL) {
            from[i] = (size_t) lists[i]->elements;
            continue;
        }

        n = ngx_http_yimen_reply_int(row[by]);

        if (found == NULL || (oldest ? n < best : n > best)) {
            found = rows[from[i]];
            best = n;
            *ret_list = i;
        }
    }

    return found;
}


redisReply *
ngx_http_yimen_reply_named(const redisReply *rows, size_t n,
    const char *name)
{
    size_t        i;
    redisReply  **e, **row;

    e = ngx_http_yimen_reply_row(rows, 0);

    for (i = 0; e != NULL && i < (size_t) rows->elements; i++) {
        row = ngx_http_yimen_reply_row(e[i], n);

        if (row != NULL && (size_t) e[i]->elements == n
            && ngx_http_yimen_reply_is(row[0], name))
        {
            return e[i];
        }
    }

    return NULL;
}


int64_t
ngx_http_yimen_reply_entry_ms(const redisReply *entry)
{
    size_t         i;
    int64_t        ms;
    struct ym_str  text;

    text = ngx_http_yimen_reply_str(entry);
    ms = 0;

    for (i = 0; i < text.n && i < 15 && text.p[i] != '-'; i++) {

        if (text.p[i] < '0' || text.p[i] > '9') {
            return 0;
        }

        ms = ms * 10 + (text.p[i] - '0');
    }

    return ms;
}


/* ---- accounts ---- */

bool
ngx_http_yimen_reply_account(const redisReply *reply,
    ngx_http_yimen_reply_account_t *ret)
{
    redisReply  **e;

    e = ngx_http_yimen_reply_row(reply, 5);

    if (e == NULL || reply->elements != 5) {
        return false;
    }

    ret->id = ngx_http_yimen_reply_str(e[0]);
    ret->version = ngx_http_yimen_reply_int(e[1]);
    ret->disabled = ngx_http_yimen_reply_is(e[2], "1");
    ret->sealed = ngx_http_yimen_reply_str(e[3]);
    ret->created = ngx_http_yimen_reply_int(e[4]);

    return true;
}


ngx_http_yimen_try_e
ngx_http_yimen_reply_try(const redisReply *reply,
    ngx_http_yimen_reply_account_t *ret, int64_t *ret_wait)
{
    redisReply  **e;

    e = ngx_http_yimen_reply_row(reply, 2);

    if (e == NULL) {
        return NGX_HTTP_YIMEN_TRY_STRANGE;
    }

    if (ngx_http_yimen_reply_is(e[0], "wait")) {
        *ret_wait = ngx_http_yimen_reply_int(e[1]);
        return NGX_HTTP_YIMEN_TRY_WAIT;
    }

    ret->id = ngx_http_yimen_reply_str(e[1]);

    if (ret->id.n == 0) {
        return NGX_HTTP_YIMEN_TRY_UNKNOWN;
    }

    if (reply->elements != 5) {
        return NGX_HTTP_YIMEN_TRY_STRANGE;
    }

    ret->version = ngx_http_yimen_reply_int(e[2]);
    ret->disabled = ngx_http_yimen_reply_is(e[3], "1");
    ret->sealed = ngx_http_yimen_reply_str(e[4]);
    ret->created = 0;

    return NGX_HTTP_YIMEN_TRY_KNOWN;
}
