/* SPDX-License-Identifier: Apache-2.0
 * What a session keeps of a person, as text: typed and versioned, so that nothing else that was
 * sealed, and no later form of it, is ever taken for it.
 */
#ifndef YM_SESSION_VALUE_H
#define YM_SESSION_VALUE_H

#include "ym_json.h"
#include "ym_seal.h"

#define YM_SESSION_VALUE_MAX (64u << 10)

/* "" where there is nothing */
struct ym_session_value {
    struct ym_str person; /* the person id, owner of records */
    struct ym_str provider, issuer, subject, login, name, email, org, area;
    struct ym_str acr, amr, sid, id_token, refresh_token;
    struct ym_str agent; /* the browser's own name for itself, shortened */
    int64_t roles, auth_time, refresh_at;
};

/* Appends it sealed for the session of that digest (64 hex digits). */
ym_status ym_session_value_seal(const struct ym_ring *ring, const char *digest,
                                const struct ym_session_value *v, struct ym_buf *out,
                                struct ym_err *err);

/*
 * Opens and checks it. YM_EAUTH for whatever is not exactly that. The strings point into *ret_json,
 * a new reference.
 */
ym_status ym_session_value_open(const struct ym_ring *ring, const char *digest,
                                struct ym_str sealed, json_t **ret_json,
                                struct ym_session_value *ret, struct ym_err *err);

/* The parts of the two that need no key. */
ym_status ym_session_value_write(const struct ym_session_value *v, struct ym_buf *out);
ym_status ym_session_value_read(struct ym_str text, json_t **ret_json, struct ym_session_value *ret,
                                struct ym_err *err);

#endif
