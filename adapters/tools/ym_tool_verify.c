/* SPDX-License-Identifier: Apache-2.0
 * yimen token verify: whether a bearer token holds and why not, by the code that the gateway uses.
 */
#include "ym_conf.h"
#include "ym_jwt.h"
#include "ym_time.h"
#include "ym_tool.h"

#include <stdio.h>
#include <stdlib.h>

#define ALGORITHMS_MAX 16
#define TOKEN_BYTES (2 * YM_JWT_BYTES) /* a longer one is refused all the same */
#define SKEW_MAX_MS 300000

struct verify {
    const char *jwks, *iss, *aud, *alg, *skew;
    bool json;
};

/* The words of --alg, or what the gateway takes by default; false: too many. */
static bool algorithms(const char *list, struct ym_arena *a, const char **ret, bool *ret_oct)
{
    static const char *const usual[] = {"ES256", "RS256", "EdDSA"};
    size_t n = 0;
    if (list == NULL) {
        memcpy(ret, usual, sizeof(usual));
        return true;
    }
    for (const char *p = list; *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (n == ALGORITHMS_MAX - 1) {
            return false;
        }
        char *copy = ym_arena_copy(a, p, len + 1);
        if (copy == NULL) {
            return false;
        }
        copy[len] = '\0';
        *ret_oct = *ret_oct || copy[0] == 'H';
        ret[n++] = copy;
        p += len + (p[len] == ',');
    }
    return n > 0;
}

/* One line of standard input without its end. */
static struct ym_str from_stdin(char *room, size_t most)
{
    size_t n = fread(room, 1, most, stdin);
    while (n > 0 && (room[n - 1] == '\n' || room[n - 1] == '\r')) {
        n--;
    }
    return (struct ym_str){room, n};
}

static void say(const struct verify *v, const json_t *claims, const struct ym_err *err)
{
    if (v->json) {
        ym_tool_json(claims != NULL ? json_pack("{s:b, s:O}", "holds", 1, "claims", claims)
                                    : json_pack("{s:b, s:s}", "holds", 0, "reason", err->message));
        return;
    }
    if (claims == NULL) {
        printf("refused: %s\n", err->message);
        return;
    }
    puts("holds");
    json_dumpf(claims, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    putchar('\n');
}

static int verify(const struct verify *v, const char *word, struct ym_arena *a)
{
    const char *names[ALGORITHMS_MAX] = {NULL};
    struct ym_jwt_rules rules = {.algorithms = names, .issuer = v->iss, .audience = v->aud};
    struct ym_jwks *keys = NULL;
    struct ym_err err = {0};
    struct ym_str text, token = ym_str_of(word);
    json_t *claims = NULL;
    bool oct = false;
    int code = YM_EXIT_ENV;

    if (!algorithms(v->alg, a, names, &oct) ||
        !ym_duration_parse(ym_str_of(v->skew), &rules.skew_ms) || rules.skew_ms < 0 ||
        rules.skew_ms > SKEW_MAX_MS) {
        fputs("yimen token verify: --alg takes a list of algorithms, --skew 0s to 300s\n", stderr);
        return YM_EXIT_USAGE;
    }
    char *room = ym_arena_alloc(a, TOKEN_BYTES);
    if (room == NULL) {
        ym_err_set(&err, YM_ENOMEM, "out of memory");
        goto done;
    }
    if (strcmp(word, "-") == 0) {
        token = from_stdin(room, TOKEN_BYTES);
    }
    if (ym_tool_read(v->jwks, YM_JWKS_BYTES, a, &text, &err) != YM_OK ||
        ym_jwks_load(text, oct, &keys, &err) != YM_OK) {
        goto done;
    }
    ym_status rc = ym_jwt_verify(token, keys, &rules, ym_now_ms(), &claims, &err);
    code = rc == YM_OK ? YM_EXIT_OK : YM_EXIT_FOUND;
    say(v, claims, &err);
done:
    if (code == YM_EXIT_ENV) {
        (void)ym_tool_error(&err, v->json);
    }
    json_decref(claims);
    ym_jwks_close(keys);
    return code;
}

int ym_tool_token_verify(int argc, char **argv)
{
    struct verify v = {.skew = "30s"};
    const struct ym_opt opts[] = {
        {"jwks", &v.jwks, NULL}, {"iss", &v.iss, NULL},   {"aud", &v.aud, NULL},
        {"alg", &v.alg, NULL},   {"skew", &v.skew, NULL}, {"json", NULL, &v.json},
        {NULL, NULL, NULL},
    };
    const char *words[1];
    size_t n;
    if (!ym_tool_options(&ym_tool_token, argc, argv, opts, words, 1, 1, &n)) {
        return YM_EXIT_USAGE;
    }
    if (v.jwks == NULL) {
        fputs("yimen token verify: --jwks is needed\n\n", stderr);
        ym_tool_help(&ym_tool_token, true);
        return YM_EXIT_USAGE;
    }
    struct ym_arena *a = ym_arena_open();
    int code = YM_EXIT_ENV;
    if (a != NULL) {
        code = verify(&v, words[0], a);
    }
    ym_arena_close(a);
    return code;
}
