/* SPDX-License-Identifier: Apache-2.0
 * Collects problems, merges what several systems say about one place, and words them for people.
 */
#include "ym_problem.h"

/*
 * One row per code. own: the type itself objects; one, many: systems object ({who} = their names).
 * {limit} and {detail} are replaced; text in [brackets] is left out when there is no detail.
 */
struct text_row {
    const char *word;
    const char *zh_own, *zh_who;
    const char *en_own, *en_one, *en_many;
};

static const struct text_row rows[YM_P_COUNT_] = {
    [YM_P_REQUIRED] = {"required", "此项必填", "{who} 要求填写此项", "This is required: fill it in",
                       "{who} requires this: fill it in", "{who} require this: fill it in"},
    [YM_P_TYPE] = {"type", "类型不对[,应为{detail}]", "{who} 要求的类型不同[,应为{detail}]",
                   "Wrong type[: expected {detail}]", "{who} takes another type[: {detail}]",
                   "{who} take another type[: {detail}]"},
    [YM_P_ENUM] = {"enum", "不是可选的值,请从列表中选择", "{who} 不接受这个值,请从列表中选择",
                   "Not one of the allowed values: choose one from the list",
                   "{who} does not take this value: choose one from the list",
                   "{who} do not take this value: choose one from the list"},
    [YM_P_CONST] = {"const", "此项只能是规定的值", "{who} 此项只能是规定的值",
                    "Only the one prescribed value is allowed here",
                    "{who} takes only the one prescribed value here",
                    "{who} take only the one prescribed value here"},
    [YM_P_TOO_LONG] = {"too_long", "最多 {limit} 个字符,请缩短", "{who} 最多接受 {limit} 个字符",
                       "At most {limit} characters: shorten it",
                       "{who} takes at most {limit} characters",
                       "{who} take at most {limit} characters"},
    [YM_P_TOO_SHORT] = {"too_short", "至少 {limit} 个字符", "{who} 要求至少 {limit} 个字符",
                        "At least {limit} characters are needed",
                        "{who} needs at least {limit} characters",
                        "{who} need at least {limit} characters"},
    [YM_P_PATTERN] = {"pattern", "格式不对[:{detail}]", "{who} 要求的格式不同[:{detail}]",
                      "Not in the expected form[: {detail}]",
                      "{who} expects another form[: {detail}]",
                      "{who} expect another form[: {detail}]"},
    [YM_P_FORMAT] = {"format", "不是有效的{detail},请核对", "{who} 要求有效的{detail},请核对",
                     "Not a valid {detail}: check it", "{who} needs a valid {detail}: check it",
                     "{who} need a valid {detail}: check it"},
    [YM_P_RANGE] = {"range", "数值超出范围[,应 {detail}]", "{who} 要求的数值范围不同[,应 {detail}]",
                    "Out of range[: must be {detail}]", "{who} takes another range[: {detail}]",
                    "{who} take another range[: {detail}]"},
    [YM_P_TOO_MANY] = {"too_many", "最多 {limit} 项,请删减", "{who} 最多接受 {limit} 项",
                       "At most {limit} entries: remove some",
                       "{who} takes at most {limit} entries", "{who} take at most {limit} entries"},
    [YM_P_TOO_FEW] = {"too_few", "至少 {limit} 项,请补充", "{who} 要求至少 {limit} 项",
                      "At least {limit} entries are needed: add some",
                      "{who} needs at least {limit} entries",
                      "{who} need at least {limit} entries"},
    [YM_P_NOT_UNIQUE] = {"not_unique", "有重复的项,请删去重复", "{who} 不接受重复的项",
                         "An entry is repeated: remove the repetition",
                         "{who} takes no repeated entries", "{who} take no repeated entries"},
    [YM_P_UNKNOWN_FIELD] = {"unknown_field", "没有这个字段,请删去", "{who} 没有这个字段",
                            "There is no such field: remove it", "{who} has no such field",
                            "{who} have no such field"},
    [YM_P_CODE] = {"code", "不是代码表[ {detail} ]中现行有效的代码,请重新选择",
                   "{who} 不接受:不是代码表[ {detail} ]中现行有效的代码",
                   "Not a code of the table[ {detail}] that is valid today: choose again",
                   "{who} needs a code of the table[ {detail}] that is valid today",
                   "{who} need a code of the table[ {detail}] that is valid today"},
    [YM_P_UNMAPPED] =
        {"unmapped", "没有对应的值[(对照表 {detail})],请改选",
         "{who} 没有对应的值[(对照表 {detail})],请改选或不选该系统",
         "There is no counterpart[ in the map {detail}]: choose another value",
         "{who} has no counterpart for this value[ (map {detail})]: choose another or "
         "leave the system out",
         "{who} have no counterpart for this value[ (map {detail})]: choose another or "
         "leave the systems out"},
    [YM_P_AMBIGUOUS] = {"ambiguous", "请回答[:{detail}]", "{who} 需要补充回答[:{detail}]",
                        "Please answer[: {detail}]", "{who} needs an answer[: {detail}]",
                        "{who} need an answer[: {detail}]"},
    [YM_P_CONDITION] = {"condition", "与其他内容不相符[:{detail}]",
                        "{who} 认为与其他内容不相符[:{detail}]",
                        "Does not fit the rest[: {detail}]",
                        "{who} finds that this does not fit the rest[: {detail}]",
                        "{who} find that this does not fit the rest[: {detail}]"},
    [YM_P_TARGET_UNKNOWN] = {"target_unknown", "没有这个系统[:{detail}]", "没有这个系统[:{detail}]",
                             "There is no such system[: {detail}]",
                             "There is no such system[: {detail}]",
                             "There are no such systems[: {detail}]"},
    [YM_P_TARGET_TYPE] = {"target_type", "所选系统不接收这类记录,请取消选择",
                          "{who} 不接收这类记录,请取消选择",
                          "The system does not take this type of record: deselect it",
                          "{who} does not take this type of record: deselect it",
                          "{who} do not take this type of record: deselect them"},
    [YM_P_CHARSET] = {"charset", "含有无法传送的字符,请改写", "{who} 的字符集没有其中的字符,请改写",
                      "Holds a character that cannot be sent: write it another way",
                      "{who} cannot show one of the characters: write it another way",
                      "{who} cannot show one of the characters: write it another way"},
    [YM_P_TOO_LARGE] = {"too_large", "附件合计最多 {limit} KB,请删减",
                        "{who} 最多接受合计 {limit} KB 的附件,请删减",
                        "At most {limit} KB of attachments: remove some",
                        "{who} takes at most {limit} KB of attachments: remove some",
                        "{who} take at most {limit} KB of attachments: remove some"},
};

void ym_problems_init(struct ym_problems *ps, struct ym_arena *a)
{
    *ps = (struct ym_problems){.arena = a};
}

/* Room for one more item in an arena array that doubles at 4, 8, 16 …; NULL when memory is out. */
static void *grown(struct ym_arena *a, const void *items, size_t count, size_t item_size)
{
    void *bigger = NULL;

    if (count != 0 && (count < 4 || (count & (count - 1)) != 0)) {
        return (void *)items;
    }
    bigger = ym_arena_alloc(a, (count == 0 ? 4 : count * 2) * item_size);
    if (bigger != NULL && count != 0) {
        memcpy(bigger, items, count * item_size);
    }
    return bigger;
}

static bool text_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static ym_status system_add(struct ym_arena *a, struct ym_problem *p, const char *system)
{
    const char **list = NULL;
    char *copy = NULL;

    for (size_t i = 0; i < p->system_count; i++) {
        if (strcmp(p->systems[i], system) == 0) {
            return YM_OK;
        }
    }
    copy = ym_arena_strz(a, system);
    list = grown(a, p->systems, p->system_count, sizeof(*list));
    if (copy == NULL || list == NULL) {
        return YM_ENOMEM;
    }
    list[p->system_count++] = copy;
    p->systems = list;
    return YM_OK;
}

static struct ym_problem *find_same(const struct ym_problems *ps, const struct ym_problem *want,
                                    bool own)
{
    for (size_t i = 0; i < ps->count; i++) {
        struct ym_problem *p = &ps->items[i];

        if (p->code == want->code && p->limit == want->limit && (p->system_count == 0) == own &&
            strcmp(p->pointer, want->pointer) == 0 && text_same(p->detail, want->detail)) {
            return p;
        }
    }
    return NULL;
}

ym_status ym_problems_add(struct ym_problems *ps, enum ym_problem_code code, const char *pointer,
                          const char *system, long limit, const char *detail, const char *detail_zh)
{
    struct ym_problem p = {.code = code, .pointer = pointer, .limit = limit, .detail = detail};
    struct ym_problem *same = find_same(ps, &p, system == NULL);
    struct ym_problem *list = NULL;

    if (same != NULL) {
        return system == NULL ? YM_OK : system_add(ps->arena, same, system);
    }
    if (ps->count == YM_PROBLEMS_MAX) {
        ps->total++;
        return YM_OK;
    }
    p.pointer = ym_arena_strz(ps->arena, pointer);
    p.detail = detail == NULL ? NULL : ym_arena_strz(ps->arena, detail);
    p.detail_zh = detail_zh == NULL ? NULL : ym_arena_strz(ps->arena, detail_zh);
    list = grown(ps->arena, ps->items, ps->count, sizeof(*list));
    if (p.pointer == NULL || (detail != NULL && p.detail == NULL) ||
        (detail_zh != NULL && p.detail_zh == NULL) || list == NULL ||
        (system != NULL && system_add(ps->arena, &p, system) != YM_OK)) {
        return YM_ENOMEM;
    }
    list[ps->count++] = p;
    ps->items = list;
    ps->total++;
    return YM_OK;
}

const char *ym_problem_word(enum ym_problem_code code)
{
    return (unsigned)code < YM_P_COUNT_ ? rows[code].word : "unknown";
}

/* ---- Accept-Language ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct ym_str trimmed(struct ym_str s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

/* Cuts s at the first c; the rest stays in s (empty at the end). */
static struct ym_str cut(struct ym_str *s, char c)
{
    const char *at = s->n == 0 ? NULL : memchr(s->p, c, s->n);
    struct ym_str head = *s;

    if (at == NULL) {
        s->p += s->n;
        s->n = 0;
        return head;
    }
    head.n = (size_t)(at - s->p);
    s->n -= head.n + 1;
    s->p = at + 1;
    return head;
}

/* qvalue in thousandths: "0.8" → 800; -1 when it is none. */
static int quality(struct ym_str s)
{
    int value = 0, scale = 1000;

    if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.')) {
        return -1;
    }
    value = (s.p[0] - '0') * 1000;
    for (size_t i = 2; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return -1;
        }
        scale /= 10;
        value += (s.p[i] - '0') * scale;
    }
    return value > 1000 ? -1 : value;
}

static bool language_is(struct ym_str tag, const char *two)
{
    return tag.n >= 2 && (tag.p[0] | 0x20) == two[0] && (tag.p[1] | 0x20) == two[1] &&
           (tag.n == 2 || tag.p[2] == '-');
}

enum ym_lang ym_lang_of(struct ym_str accept_language)
{
    enum ym_lang best = YM_ZH;
    int best_q = 0;

    while (accept_language.n > 0) {
        struct ym_str item = cut(&accept_language, ',');
        struct ym_str tag = trimmed(cut(&item, ';'));
        struct ym_str weight = trimmed(item);
        int q = 1000;

        if (weight.n >= 2 && (weight.p[0] | 0x20) == 'q' && weight.p[1] == '=') {
            q = quality((struct ym_str){weight.p + 2, weight.n - 2});
        }
        if (q > best_q && (language_is(tag, "zh") || language_is(tag, "en"))) {
            best = language_is(tag, "en") ? YM_EN : YM_ZH;
            best_q = q;
        }
    }
    return best;
}

/* ---- words ---- */

static const char *choose(const struct ym_problem *p, enum ym_lang lang, const char *titles)
{
    const struct text_row *r = &rows[p->code];

    if (titles == NULL || titles[0] == '\0') {
        return lang == YM_ZH ? r->zh_own : r->en_own;
    }
    if (lang == YM_ZH) {
        return r->zh_who;
    }
    return p->system_count > 1 ? r->en_many : r->en_one;
}

/* Appends what a {placeholder} at t stands for; returns its length. */
static size_t placeholder(const char *t, const struct ym_problem *p, const char *detail,
                          const char *titles, struct ym_buf *out)
{
    size_t n = strcspn(t, "}") + 1;

    if (strncmp(t, "{who}", n) == 0) {
        ym_buf_adds(out, titles);
    } else if (strncmp(t, "{limit}", n) == 0) {
        ym_buf_addf(out, "%ld", p->limit);
    } else {
        ym_buf_adds(out, detail != NULL ? detail : "");
    }
    return n;
}

ym_status ym_problem_text(const struct ym_problem *p, enum ym_lang lang, const char *titles,
                          struct ym_buf *out)
{
    const char *detail = lang == YM_ZH && p->detail_zh != NULL ? p->detail_zh : p->detail;
    const char *t = NULL;

    if ((unsigned)p->code >= YM_P_COUNT_) {
        return YM_EINVAL;
    }
    for (t = choose(p, lang, titles); *t != '\0';) {
        if (*t == '{') {
            t += placeholder(t, p, detail, titles, out);
        } else if (*t == '[' && detail == NULL) {
            t += strcspn(t, "]") + 1;
        } else if (*t == '[' || *t == ']') {
            t++;
        } else {
            ym_buf_addc(out, *t);
            t++;
        }
    }
    return out->failed;
}
