/* SPDX-License-Identifier: Apache-2.0
 * The CAS protocol (1.0, 2.0, 3.0) as text: which addresses are a registered service, what a ticket
 * looks like, what is answered. No XML of strangers is ever parsed: there is no SAML validation.
 */
#ifndef YM_CAS_H
#define YM_CAS_H

#include "ym_buf.h"

#define YM_CAS_SERVICE_MAX 1024 /* bytes of a service's address */
#define YM_CAS_TICKET_BYTES 24  /* random ones of a ticket: 192 bits */
#define YM_CAS_TICKET_LEN (3 + 2 * YM_CAS_TICKET_BYTES)
#define YM_CAS_ATTRIBUTES 24

/*
 * Appends the one form in which addresses are compared: scheme and host in lower case, no default
 * port, "/" for no path, hex digits of percent-encoding in upper case. False (and nothing useful in
 * out) for what is no plain http or https address: userinfo, a fragment, control characters and
 * blanks anywhere, dot segments, encoded or doubled slashes and backslashes in the path, a parameter
 * `ticket` in the query, more than YM_CAS_SERVICE_MAX bytes.
 */
bool ym_cas_service(struct ym_str given, struct ym_buf *out);

/*
 * Whether a service belongs to a registered one, both in that form. prefix: by whole segments of the
 * path, whatever the query; else exactly, query included.
 */
bool ym_cas_matches(struct ym_str registered, bool prefix, struct ym_str service);

/* "ST-" and hex digits, NUL-terminated: the set of characters that CAS 3.0 §3.7 allows. */
void ym_cas_ticket(const unsigned char random[YM_CAS_TICKET_BYTES],
                   char out[YM_CAS_TICKET_LEN + 1]);
bool ym_cas_ticket_ok(struct ym_str ticket); /* of that form; says nothing about whether it holds */

/* Appends the service's address with the ticket as its last parameter. */
ym_status ym_cas_go(struct ym_buf *out, struct ym_str service, struct ym_str ticket);

/* What is said of who signed in; attributes in the order given, a name may stand several times. */
struct ym_cas_attribute {
    const char *name;
    struct ym_str value;
};
struct ym_cas_person {
    struct ym_str user;
    int64_t auth_time; /* ms */
    bool fresh;        /* credentials were presented for this very ticket */
    const struct ym_cas_attribute *attributes;
    size_t count;
};

enum ym_cas_version { YM_CAS_1, YM_CAS_2, YM_CAS_3 };

enum ym_cas_failure {
    YM_CAS_INVALID_REQUEST,
    YM_CAS_INVALID_TICKET,
    YM_CAS_INVALID_SERVICE,
    YM_CAS_INTERNAL_ERROR
};
const char *ym_cas_failure_code(enum ym_cas_failure failure); /* "INVALID_TICKET" */

/*
 * Append the answer to a validation. Everything is escaped; characters that XML cannot have become
 * U+FFFD; prolog and root stand on lines of their own, one element a line. A failure says nothing of
 * what was asked.
 */
ym_status ym_cas_success(struct ym_buf *out, enum ym_cas_version version,
                         const struct ym_cas_person *person);
ym_status ym_cas_refusal(struct ym_buf *out, enum ym_cas_version version,
                         enum ym_cas_failure failure);

/* Appends the body of a single sign-out: id (an XML name) and the moment are ours. */
ym_status ym_cas_logout(struct ym_buf *out, const char *id, int64_t now_ms, struct ym_str ticket);

#endif
