/* SPDX-License-Identifier: Apache-2.0
 * Going through a whole chain of evidence and naming every place that does not hold.
 */
#include "ym_chain.h"
#include "ym_conf.h"

#include <stdarg.h>
#include <stdio.h>

static void report(struct ym_chain_walk *w, int64_t seq, const char *code, const char *fmt, ...)
    YM_PRINTF(4, 5);

static void report(struct ym_chain_walk *w, int64_t seq, const char *code, const char *fmt, ...)
{
    struct ym_chain_finding f = {w->file, w->line, seq, code, ""};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
    va_end(ap);
    w->findings++;
    if (w->found != NULL) {
        w->found(w->data, &f);
    }
}

static void copy_mac(char out[YM_CHAIN_MAC], struct ym_str mac)
{
    memcpy(out, mac.p, YM_CHAIN_MAC - 1);
    out[YM_CHAIN_MAC - 1] = '\0';
}

static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text != NULL ? text : "");
}

void ym_chain_walk_head(struct ym_chain_walk *w, int64_t seq, const char *mac, const char *id)
{
    w->head_seq = seq;
    copy_text(w->head_mac, sizeof(w->head_mac), mac);
    copy_text(w->head_id, sizeof(w->head_id), id);
}

void ym_chain_walk_segment(struct ym_chain_walk *w, const char *name)
{
    w->file = name;
    w->line = 0;
    w->segments++;
}

/* ---- what a line says ---- */

static struct ym_chain_place *place_of(struct ym_chain_walk *w, const json_t *line, size_t *ret)
{
    const json_t *shard = json_object_get(line, "shard");

    if (!json_is_integer(shard) || json_integer_value(shard) < 0 ||
        json_integer_value(shard) >= YM_CHAIN_SHARDS) {
        return NULL;
    }
    *ret = (size_t)json_integer_value(shard);
    return &w->places[*ret];
}

/* What a stream told: in its order. */
static void look_at_mark(struct ym_chain_walk *w, int64_t seq, const char *text, size_t shard,
                         struct ym_chain_mark *last)
{
    struct ym_chain_mark m;

    if (text == NULL || !ym_chain_mark_parse(ym_str_of(text), &m)) {
        return;
    }
    if (ym_chain_mark_later(&m, last)) {
        *last = m;
    } else {
        report(w, seq, "doubled", "entry %s of shard %zu stands there twice or too late", text,
               shard);
    }
}

static void look_at_serial(struct ym_chain_walk *w, int64_t seq, int64_t serial, size_t shard)
{
    struct ym_chain_place *p = &w->places[shard];

    if (serial <= p->serial) {
        report(w, seq, "doubled", "record %lld of shard %zu stands there twice", (long long)serial,
               shard);
    } else if (serial > p->serial + 1 && w->placed[shard]) {
        report(w, seq, "missing", "records %lld to %lld of shard %zu are missing",
               (long long)p->serial + 1, (long long)serial - 1, shard);
    }
    p->serial = serial > p->serial ? serial : p->serial;
    w->placed[shard] = true;
}

/* An entry of a stream, a delivery, or a record: each stands there once, and records without a gap. */
static void look_at_entry(struct ym_chain_walk *w, int64_t seq, const json_t *line)
{
    size_t shard = 0;
    struct ym_chain_place *p = place_of(w, line, &shard);
    const json_t *serial = json_object_get(line, "serial");

    if (p == NULL) {
        return;
    }
    look_at_mark(w, seq, ym_json_str(line, "entry"), shard, &p->entry);
    look_at_mark(w, seq, ym_json_str(line, "settled"), shard, &p->settled);
    if (json_is_integer(serial)) {
        look_at_serial(w, seq, json_integer_value(serial), shard);
    }
}

/* The places that a segment starts from count where nothing earlier is there to tell. */
static void take_places(struct ym_chain_walk *w, const json_t *line)
{
    const json_t *list = json_object_get(line, "places"), *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const json_t *serial = json_array_get(one, 1);

        if (i >= YM_CHAIN_SHARDS || w->placed[i] || w->segments > 1) {
            continue;
        }
        ym_chain_mark_read(json_array_get(one, 0), &w->places[i].entry);
        w->places[i].serial = json_integer_value(serial);
        ym_chain_mark_read(json_array_get(one, 2), &w->places[i].settled);
        w->placed[i] = true;
    }
}

static void look_at_open(struct ym_chain_walk *w, int64_t seq, const json_t *line)
{
    const char *id = ym_json_str(line, "id");
    int64_t segment = json_integer_value(json_object_get(line, "segment"));

    if (w->segment != 0 && segment != w->segment + 1) {
        report(w, seq, "segment", "segment %lld follows segment %lld", (long long)segment,
               (long long)w->segment);
    }
    if (w->id[0] != '\0' && (id == NULL || strcmp(id, w->id) != 0)) {
        report(w, seq, "segment", "this segment is of another chain");
    }
    w->segment = segment;
    copy_text(w->id, sizeof(w->id), id);
    take_places(w, line);
}

/* Lines about the chain itself. */
static void look_at_chain(struct ym_chain_walk *w, int64_t seq, const char *word,
                          const json_t *line)
{
    const char *mac = ym_json_str(line, "removed_mac"), *why = ym_json_str(line, "why");

    if (strcmp(word, "open") == 0) {
        look_at_open(w, seq, line);
    } else if (strcmp(word, "removed") == 0) {
        w->removed_seq = json_integer_value(json_object_get(line, "removed_seq"));
        copy_text(w->removed_mac, sizeof(w->removed_mac), mac);
    } else if (strcmp(word, "broken") == 0 || strcmp(word, "lost") == 0) {
        report(w, seq, word, "written down when it was noticed: %.150s", why != NULL ? why : "");
        memset(w->placed, 0, sizeof(w->placed));
        memset(w->places, 0, sizeof(w->places));
    }
}

static void look_at(struct ym_chain_walk *w, int64_t seq, struct ym_str text)
{
    static const struct ym_json_limits limits = {YM_CHAIN_LINE_MAX, 8, 1000};
    json_t *line = NULL;
    const char *word;

    if (ym_json_parse(text, &limits, &line, NULL) != YM_OK) {
        report(w, seq, "unreadable", "the line is no JSON");
        return;
    }
    word = ym_json_str(line, "chain");
    if (w->line == 1 && (word == NULL || strcmp(word, "open") != 0)) {
        report(w, seq, "segment", "the segment does not begin with its opening line");
    }
    if (word != NULL) {
        look_at_chain(w, seq, word, line);
    } else {
        look_at_entry(w, seq, line);
    }
    json_decref(line);
}

/* ---- how it follows ---- */

static void look_at_order(struct ym_chain_walk *w, const struct ym_chain_line *line)
{
    int64_t want = w->at.seq + 1;

    if (w->first_seq == 0) {
        w->first_seq = line->seq;
        w->first_file = w->file;
        copy_mac(w->first_prev, line->prev);
        return;
    }
    if (line->seq > want) {
        report(w, line->seq, "missing", "seq %lld to %lld are missing before this line",
               (long long)want, (long long)line->seq - 1);
    } else if (line->seq < want) {
        report(w, line->seq, "doubled", "seq %lld was expected here", (long long)want);
    } else if (w->at.mac[0] != '\0' && !ym_str_is(line->prev, w->at.mac) &&
               !ym_str_is(line->prev, w->real)) {
        report(w, line->seq, "link", "does not follow the line before it, seq %lld",
               (long long)w->at.seq);
    }
}

/* How a segment is keyed says its first line; once there is a key, there is no way back. */
static void look_at_keying(struct ym_chain_walk *w, struct ym_str text)
{
    static const char plain[] = "\"keyed\":false";

    w->keyed = memmem(text.p, text.n, plain, sizeof(plain) - 1) == NULL;
    if (w->keyed && w->ring == NULL) {
        report(w, w->at.seq + 1, "segment",
               "the segment is keyed: its lines cannot be verified without the key ring");
    } else if (!w->keyed && w->keyed_before) {
        report(w, w->at.seq + 1, "segment", "the segment is not keyed, though earlier ones are");
    }
    w->keyed_before = w->keyed_before || w->keyed;
    w->unkeyed += !w->keyed;
}

static bool holds_here(struct ym_chain_walk *w, const struct ym_chain_line *line,
                       char real[YM_CHAIN_MAC])
{
    if (w->keyed && w->ring == NULL) {
        copy_mac(real, line->mac);
        return true;
    }
    return ym_chain_holds(w->keyed ? w->ring : NULL, line, real);
}

void ym_chain_walk_line(struct ym_chain_walk *w, struct ym_str text)
{
    struct ym_chain_line line;
    char real[YM_CHAIN_MAC];
    bool holds;

    w->line++;
    w->lines++;
    if (w->line == 1) {
        look_at_keying(w, text);
    }
    if (!ym_chain_split(text, &line)) {
        report(w, w->at.seq + 1, "unreadable", "this is no line of the chain");
        w->at.seq++;
        w->at.mac[0] = w->real[0] = '\0';
        return;
    }
    holds = holds_here(w, &line, real);
    if (!holds) { /* nothing that it says counts, its number least of all */
        report(w, w->at.seq + 1, "altered", "the line is not as it was written");
        w->at.seq++;
        w->first_seq = w->first_seq == 0 ? w->at.seq : w->first_seq;
        copy_mac(w->at.mac, line.mac);
        memcpy(w->real, real, sizeof(real));
        return;
    }
    look_at_order(w, &line);
    memcpy(w->real, real, sizeof(real));
    w->at.seq = line.seq;
    copy_mac(w->at.mac, line.mac);
    if (line.seq == w->head_seq && !ym_str_is(line.mac, w->head_mac)) {
        report(w, line.seq, "head", "Redis remembers another line of this number");
    }
    look_at(w, line.seq, text);
}

/* Lines before the first one there is: removed on purpose, and written down, or missing. */
static void look_at_start(struct ym_chain_walk *w)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    int64_t before = w->first_seq - 1;

    w->file = w->first_file;
    w->line = 1;
    if (w->first_prev[0] == '\0') {
        return; /* told already: that line was altered */
    }
    if (before == 0) {
        if (strcmp(w->first_prev, zeros) != 0) {
            report(w, w->first_seq, "start", "the first line follows another one");
        }
    } else if (before > w->removed_seq) {
        report(w, w->first_seq, "start", "seq %lld to %lld are missing before the first segment",
               (long long)w->removed_seq + 1, (long long)before);
    } else if (before == w->removed_seq && strcmp(w->first_prev, w->removed_mac) != 0) {
        report(w, w->first_seq, "start", "the first line does not follow what was removed");
    }
}

void ym_chain_walk_end(struct ym_chain_walk *w)
{
    const char *file = w->file;
    int64_t line = w->line;

    if (w->head_seq > w->at.seq) {
        report(w, w->at.seq, "tail", "seq %lld to %lld are missing at the end",
               (long long)w->at.seq + 1, (long long)w->head_seq);
    }
    if (w->head_id[0] != '\0' && w->id[0] != '\0' && strcmp(w->head_id, w->id) != 0) {
        report(w, w->at.seq, "head", "Redis remembers another chain");
    }
    if (w->first_seq > 0) {
        look_at_start(w);
    }
    w->file = file;
    w->line = line;
}
