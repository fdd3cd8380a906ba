/* SPDX-License-Identifier: Apache-2.0
 * The keywords of the subset: one table that reads them and documents them.
 */
#include "ym_schema_priv.h"

enum group { G_ANY, G_STRING, G_NUMBER, G_ARRAY, G_OBJECT, G_LOGIC, G_REF, G_NOTE, G_OURS };

struct keyword {
    const char *name;
    enum group group;
    ym_schema_read *read;
    const char *help;
};

static const struct keyword keywords[] = {
    {"type", G_ANY, ym_schema_read_type, "one type or a list; `1.0` is an integer"},
    {"enum", G_ANY, ym_schema_read_enum, "the allowed values; `1` and `1.0` are the same"},
    {"const", G_ANY, ym_schema_read_const, "the one allowed value"},
    {"minLength", G_STRING, ym_schema_read_length, "characters (code points), not bytes"},
    {"maxLength", G_STRING, ym_schema_read_length, "characters (code points), not bytes"},
    {"pattern", G_STRING, ym_schema_read_pattern,
     "PCRE2, UTF-8, unanchored, with match limits; `$` is the very end"},
    {"format", G_STRING, ym_schema_read_format, "asserted, not an annotation; the list is below"},
    {"minimum", G_NUMBER, ym_schema_read_bound, "a number"},
    {"maximum", G_NUMBER, ym_schema_read_bound, "a number"},
    {"exclusiveMinimum", G_NUMBER, ym_schema_read_bound, "a number"},
    {"exclusiveMaximum", G_NUMBER, ym_schema_read_bound, "a number"},
    {"multipleOf", G_NUMBER, ym_schema_read_bound, "a number above 0"},
    {"items", G_ARRAY, ym_schema_sub_one, "schema of every item after `prefixItems`"},
    {"prefixItems", G_ARRAY, ym_schema_sub_list, "schemas by position"},
    {"contains", G_ARRAY, ym_schema_sub_one, "schema that some items must fit"},
    {"minContains", G_ARRAY, ym_schema_read_size, "default 1"},
    {"maxContains", G_ARRAY, ym_schema_read_size, ""},
    {"minItems", G_ARRAY, ym_schema_read_size, ""},
    {"maxItems", G_ARRAY, ym_schema_read_size, ""},
    {"uniqueItems", G_ARRAY, ym_schema_read_unique,
     "no two equal items; arrays of more than 2,000 items are refused where it is set"},
    {"properties", G_OBJECT, ym_schema_sub_members, "schemas by member name"},
    {"patternProperties", G_OBJECT, ym_schema_sub_patterns, "schemas by pattern of the name"},
    {"additionalProperties", G_OBJECT, ym_schema_sub_one, "schema of every other member"},
    {"propertyNames", G_OBJECT, ym_schema_sub_one,
     "schema of the names (allocates: prefer "
     "`patternProperties`)"},
    {"required", G_OBJECT, ym_schema_sub_required, "names that must be there"},
    {"dependentRequired", G_OBJECT, ym_schema_sub_depend_required, "names needed beside a name"},
    {"dependentSchemas", G_OBJECT, ym_schema_sub_depend_schemas, "a schema where a name is there"},
    {"minProperties", G_OBJECT, ym_schema_read_size, ""},
    {"maxProperties", G_OBJECT, ym_schema_read_size, ""},
    {"allOf", G_LOGIC, ym_schema_sub_list, "all must hold"},
    {"anyOf", G_LOGIC, ym_schema_sub_list, "at least one must hold"},
    {"oneOf", G_LOGIC, ym_schema_sub_list, "exactly one must hold"},
    {"not", G_LOGIC, ym_schema_sub_one, "must not hold"},
    {"if", G_LOGIC, ym_schema_sub_one,
     "decides between `then` and `else`; problems of it are not told"},
    {"then", G_LOGIC, ym_schema_sub_one, "where `if` holds"},
    {"else", G_LOGIC, ym_schema_sub_one, "where `if` does not hold"},
    {"$ref", G_REF, ym_schema_sub_ref,
     "local: `#`, `#/$defs/name`, `#anchor`; circles must go deeper "
     "into the value"},
    {"$defs", G_REF, ym_schema_sub_defs, "schemas to refer to"},
    {"$anchor", G_REF, ym_schema_sub_anchor, "a name for this schema"},
    {"$schema", G_REF, ym_schema_read_root, "at the root only; draft 2020-12"},
    {"$id", G_REF, ym_schema_read_root, "at the root only"},
    {"$comment", G_NOTE, ym_schema_read_note, "text"},
    {"title", G_NOTE, ym_schema_read_note, "text"},
    {"description", G_NOTE, ym_schema_read_note, "text"},
    {"default", G_NOTE, ym_schema_read_note,
     "what a form shows first; never filled in by the server"},
    {"examples", G_NOTE, ym_schema_read_examples,
     "a list; the first one is said when `pattern` fails"},
    {"readOnly", G_NOTE, ym_schema_read_note, "true or false; for forms"},
    {"writeOnly", G_NOTE, ym_schema_read_note, "true or false; for forms"},
    {"deprecated", G_NOTE, ym_schema_read_note, "true or false; for forms"},
    {"x-codes", G_OURS, ym_schema_read_codes,
     "code table: a string must be one of its codes, valid today, and no heading (`leaf` no)"},
    {"x-label", G_OURS, ym_schema_read_label,
     "`{zh, en}`: the field's name; beside `anyOf`, `oneOf`, `not` it also words the problem"},
    {"x-sensitive", G_OURS, ym_schema_read_sensitive,
     "`public`, `internal`, `personal` or `secret`; default `internal`"},
    {"x-keys", G_OURS, ym_schema_read_keys,
     "at the root only: search keys, name to pointer; `/-` = every item of an array"},
    {"x-ui", G_OURS, ym_schema_read_ui, "an object of hints for the form"},
};

const char *ym_schema_keyword_name(size_t i)
{
    return keywords[i].name;
}

size_t ym_schema_keyword_count(void)
{
    return YM_COUNT(keywords);
}

bool ym_schema_keyword(struct ym_scompile *c, struct ym_snode *n, const char *name, json_t *value,
                       const struct ym_spath *at)
{
    for (size_t i = 0; i < YM_COUNT(keywords); i++) {
        if (strcmp(keywords[i].name, name) == 0) {
            keywords[i].read(c, n, name, value, at);
            return true;
        }
    }
    return false;
}

ym_status ym_schema_document(struct ym_buf *out)
{
    static const char *const titles[] = {
        [G_ANY] = "Any value",  [G_STRING] = "Strings",   [G_NUMBER] = "Numbers",
        [G_ARRAY] = "Arrays",   [G_OBJECT] = "Objects",   [G_LOGIC] = "Combining",
        [G_REF] = "References", [G_NOTE] = "Annotations", [G_OURS] = "Yimen's own",
    };

    for (size_t g = 0; g < YM_COUNT(titles); g++) {
        ym_buf_addf(out, "### %s\n\n| keyword | here |\n|---|---|\n", titles[g]);
        for (size_t i = 0; i < YM_COUNT(keywords); i++) {
            if (keywords[i].group == g) {
                ym_buf_addf(out, "| `%s` | %s |\n", keywords[i].name, keywords[i].help);
            }
        }
        ym_buf_adds(out, "\n");
    }
    ym_buf_adds(out, "### Formats\n\n| format | is |\n|---|---|\n");
    for (size_t i = 0; i < ym_schema_format_count(); i++) {
        const struct ym_sformat *f = ym_schema_format_at(i);

        ym_buf_addf(out, "| `%s` | %s (%s) |\n", f->name, f->en, f->zh);
    }
    return out->failed;
}
