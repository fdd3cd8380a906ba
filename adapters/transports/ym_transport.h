/* SPDX-License-Identifier: Apache-2.0
 * THE interface of transports: they carry a wire and report facts; none decides about retry.
 * HTTP-like transports never block: they hand easy handles to the worker's curl_multi. ODBC
 * blocks, but never beyond the deadline.
 */
#ifndef YM_TRANSPORT_H
#define YM_TRANSPORT_H

#include "ym_secrets.h"
#include "ym_wire.h"
#include <curl/curl.h>

struct ym_link;     /* connections, cookie jar: one worker process, one system */
struct ym_exchange; /* one wire under way */

enum ym_step {
    YM_STEP_MORE, /* *ret_easy is the next handle to drive */
    YM_STEP_DONE  /* facts are filled; call end() */
};

struct ym_transport {
    const char *name;    /* "soap"; the word used in adapter.yaml */
    const char *summary; /* one line for the reference */

    /* MUST. Pure: load-time check of the transport's own settings (`connection:`). */
    void (*check)(const struct ym_system *sys, struct ym_diag *d);

    /* MUST. Opens lazily: no network yet. */
    ym_status (*open)(const struct ym_system *sys, const struct ym_secrets *secrets,
                      struct ym_link **ret, struct ym_err *err);
    void (*close)(struct ym_link *l); /* accepts NULL */

    /* Forgets cookies and connections (a session ended). MAY be NULL. */
    void (*forget)(struct ym_link *l);

    /*
     * Non-blocking transports: begin gives the first easy handle (private data is the transport's);
     * step is called when it has ended. wire and a must outlive end(). timeout_ms is for the whole
     * exchange.
     */
    ym_status (*begin)(struct ym_link *l, const struct ym_wire *w, int64_t timeout_ms,
                       struct ym_arena *a, struct ym_exchange **ret, CURL **ret_easy,
                       struct ym_err *err);
    enum ym_step (*step)(struct ym_exchange *x, CURLcode how, CURL **ret_easy,
                         struct ym_facts *facts);
    void (*end)(struct ym_exchange *x); /* accepts NULL; the handle must be out of the multi */

    /* Blocking transports (begin is NULL): returns within timeout_ms with facts filled. */
    void (*run)(struct ym_link *l, const struct ym_wire *w, int64_t timeout_ms, struct ym_arena *a,
                struct ym_facts *facts);
};

/* NULL when there is no such transport. handoff has neither begin nor run. */
const struct ym_transport *ym_transport_find(const char *name);
extern const struct ym_transport *const ym_transports[]; /* NULL-terminated */

#endif
