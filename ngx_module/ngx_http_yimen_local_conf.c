/* SPDX-License-Identifier: Apache-2.0
 * `auth.local:` of the catalogue, and the thread pool for password hashes.
 */
#include "ngx_http_yimen_local.h"
#include "ngx_http_yimen_threads.h"


/* 2 threads of 32 MiB each a worker; the rest waits, and beyond it 503 */
#define NGX_HTTP_YIMEN_THREADS_N  "threads=2"


typedef struct {
    bool                   enabled;
    const struct ym_yaml  *title;
    int                    hash;
    int64_t                scrypt_log_n;
    int64_t                sm3_rounds;
    int64_t                min_length;
    int64_t                free_tries;
    int64_t                wait;
    int64_t                wait_max;
    int64_t                address_tries;
    int64_t                address_window;
    int64_t                queue;
} ngx_http_yimen_local_fields_t;

typedef struct {
    const char            *zh;
    const char            *en;
} ngx_http_yimen_title_fields_t;


static const char *const  ngx_http_yimen_hashes[] = {
    "scrypt", "pbkdf2-sm3", NULL
};


#define field(f)  offsetof(ngx_http_yimen_local_fields_t, f)

static const struct ym_field  ngx_http_yimen_local_table[] = {
    { "enabled", YM_FIELD_BOOL, field(enabled), "true", 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Whether people sign in with accounts of this site." },
    { "title", YM_FIELD_NODE, field(title), NULL, 0, 0, NULL,
      YM_FIELD_RELOADABLE,
      "Name of the site over the sign-in form: {zh: …, en: …}." },
    { "hash", YM_FIELD_ENUM, field(hash), "scrypt", 0, 0,
      ngx_http_yimen_hashes, YM_FIELD_RELOADABLE,
      "How new passwords are stored: scrypt, or pbkdf2-sm3 where national "
      "algorithms are required; both are accepted." },
    { "scrypt_log_n", YM_FIELD_INT, field(scrypt_log_n), "15",
      YM_PASSWORD_LN_MIN, YM_PASSWORD_LN_MAX, NULL, YM_FIELD_RELOADABLE,
      "Cost of scrypt: N = 2^this; 15 takes 32 MiB and about 0.1 s a sign-in."
    },
    { "sm3_rounds", YM_FIELD_INT, field(sm3_rounds), "600000", 1000, 5000000,
      NULL, YM_FIELD_RELOADABLE,
      "Cost of pbkdf2-sm3." },
    { "min_length", YM_FIELD_INT, field(min_length), "10", 8, 64, NULL,
      YM_FIELD_RELOADABLE,
      "Characters that a new password has at least." },
    { "free_tries", YM_FIELD_INT, field(free_tries), "5", 1, 1000, NULL,
      YM_FIELD_RELOADABLE,
      "Wrong tries for one account before the next one has to wait." },
    { "wait", YM_FIELD_DURATION, field(wait), "1s", 1, 60000, NULL,
      YM_FIELD_RELOADABLE,
      "The first wait; each further wrong try doubles it." },
    { "wait_max", YM_FIELD_DURATION, field(wait_max), "5m", 1, 86400000, NULL,
      YM_FIELD_RELOADABLE,
      "The longest wait; nobody is locked out for good." },
    { "address_tries", YM_FIELD_INT, field(address_tries), "200", 1, 1000000,
      NULL, YM_FIELD_RELOADABLE,
      "Wrong tries from one address within address_window, over all accounts."
    },
    { "address_window", YM_FIELD_DURATION, field(address_window), "10m", 1000,
      86400000, NULL, YM_FIELD_RELOADABLE,
      "See address_tries." },
    { "queue", YM_FIELD_INT, field(queue), "64", 1, 1000, NULL,
      YM_FIELD_RELOADABLE,
      "Sign-ins that may wait for a password hash in one worker; more get 503."
    },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};

#undef field


static const struct ym_field  ngx_http_yimen_title_table[] = {
    { "zh", YM_FIELD_STRING, offsetof(ngx_http_yimen_title_fields_t, zh), NULL,
      0, 200, NULL, YM_FIELD_RELOADABLE, "In Chinese." },
    { "en", YM_FIELD_STRING, offsetof(ngx_http_yimen_title_fields_t, en), NULL,
      0, 200, NULL, YM_FIELD_RELOADABLE, "In English." },
    { NULL, YM_FIELD_STRING, 0, NULL, 0, 0, NULL, 0, NULL }
};


char *
ngx_http_yimen_local_load(ngx_conf_t *cf, ngx_http_yimen_main_conf_t *ymcf,
    const struct ym_yaml *node)
{
    struct ym_diag                  d;
    ngx_http_yimen_local_conf_t    *lcf;
    ngx_http_yimen_title_fields_t   title;
    ngx_http_yimen_local_fields_t   f;

    if (node == NULL) {
        return NGX_CONF_OK;
    }

    ngx_memzero(&f, sizeof(f));
    ngx_memzero(&title, sizeof(title));
    ym_diag_init(&d);

    (void) ym_conf_load(ngx_http_yimen_local_table, node, "auth.local", &f,
                        ymcf->catalog->arena, &d);

    if (f.title != NULL) {
        (void) ym_conf_load(ngx_http_yimen_title_table, f.title,
                            "auth.local.title", &title, ymcf->catalog->arena,
                            &d);
    }

    if (d.total) {
        ngx_http_yimen_conf_log(cf, &d);
        ym_diag_clear(&d);
        return NGX_CONF_ERROR;
    }

    ym_diag_clear(&d);

    if (!f.enabled) {
        return NGX_CONF_OK;
    }

    if (ymcf->ring == NULL || !ymcf->session.on) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"auth.local\" in \"%V\" needs \"auth.ring\" and "
                           "\"auth.session\"", &ymcf->catalog_file);
        return NGX_CONF_ERROR;
    }

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_yimen_local_conf_t));
    if (lcf == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->title_zh = title.zh;
    lcf->title_en = title.en;
    lcf->rules.kind = f.hash ? YM_PASSWORD_SM3 : YM_PASSWORD_SCRYPT;
    lcf->rules.ln = (int) f.scrypt_log_n;
    lcf->rules.rounds = (int) f.sm3_rounds;
    lcf->least = f.min_length;
    lcf->free = f.free_tries;
    lcf->wait = f.wait;
    lcf->wait_max = f.wait_max;
    lcf->peer_tries = f.address_tries;
    lcf->peer_window = f.address_window;
    lcf->queue = f.queue;

    ymcf->local = lcf;

    return ngx_http_yimen_threads(cf, NGX_HTTP_YIMEN_THREADS,
                                  NGX_HTTP_YIMEN_THREADS_N, &lcf->pool);
}
