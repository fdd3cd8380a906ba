/* SPDX-License-Identifier: Apache-2.0
 * Local accounts: who may sign in with a name and a password of ours. What is known of a person is
 * sealed before it goes to Redis, and names are found by keyed digests (ym_store_account.h).
 */
#ifndef YM_ACCOUNT_H
#define YM_ACCOUNT_H

#include "ym_id.h"
#include "ym_password.h"
#include "ym_seal.h"
#include "ym_totp.h"

#define YM_ACCOUNT_NAMES 6  /* login and aliases */
#define YM_ACCOUNT_NAME 128 /* bytes of a sign-in name, with NUL */
#define YM_ACCOUNT_TEXT 256 /* bytes of any other text, with NUL */
#define YM_ACCOUNT_AREA 13  /* digits of an area code, with NUL */
#define YM_ACCOUNT_CODES 10 /* recovery codes */
#define YM_ACCOUNT_CODE 20  /* "abcd-efgh-ijkl-mnop" with NUL: 80 random bits */
#define YM_ACCOUNT_ISSUER "local"

/* The roles, as bits; the same as the module's. */
enum {
    YM_ROLE_STAFF = 0x01,
    YM_ROLE_SUPERVISOR = 0x02,
    YM_ROLE_OPERATOR = 0x04,
    YM_ROLE_AUDITOR = 0x08,
    YM_ROLE_ADMIN = 0x10
};

/* Holds secrets: ym_account_clear() it. All texts are NUL-terminated; "" = none. */
struct ym_account {
    char id[YM_ID_LEN + 1]; /* a ULID; the person is "local:<id>" */
    int64_t version;        /* of what is stored; 0 = not stored yet */
    bool disabled;
    bool change; /* must choose a password before anything else */
    unsigned roles;
    size_t name_count;
    char names[YM_ACCOUNT_NAMES]
              [YM_ACCOUNT_NAME]; /* as written; the first is what applications see */
    char email[YM_ACCOUNT_NAME]; /* a sign-in name as well */
    char title[YM_ACCOUNT_TEXT]; /* the person's name, to be shown */
    char org[YM_ACCOUNT_TEXT];
    char area[YM_ACCOUNT_AREA];
    char hash[YM_PASSWORD_HASH_MAX]; /* "" = no password yet */
    char totp[YM_TOTP_SECRET_TEXT];  /* "" = one factor */
    char codes[YM_ACCOUNT_CODES][YM_DIGEST_HEX];
};

void ym_account_clear(struct ym_account *a); /* wipes; accepts a zeroed one */

/*
 * The one form in which a sign-in name is compared: NFKC, case folded, without blanks around it.
 * YM_EINVAL: empty, too long, or with a character that is no letter, digit or one of . _ - @ + ·
 */
ym_status ym_account_name(struct ym_str in, char out[YM_ACCOUNT_NAME], struct ym_err *err);

/* Texts to be shown: UTF-8, no control character, nothing that turns the direction of text. */
bool ym_account_text(struct ym_str in, size_t most);

/*
 * What is wrong with the account as it would be stored, or NULL: the JSON pointer of the field.
 * It needs a login and at least one role.
 */
const char *ym_account_fault(const struct ym_account *a);

unsigned ym_role_of(struct ym_str name); /* 0 = no role of ours */
const char *ym_role_name(unsigned bit);  /* NULL = no role */

/* The digest by which a name is found. */
ym_status ym_account_digest(const struct ym_ring *ring, const char *canonical,
                            char out[YM_DIGEST_HEX], struct ym_err *err);

/* Those of all its names, each once; *ret_count of them. */
ym_status ym_account_digests(const struct ym_ring *ring, const struct ym_account *a,
                             char out[YM_ACCOUNT_NAMES + 1][YM_DIGEST_HEX], size_t *ret_count,
                             struct ym_err *err);

/* Appends the account as text, sealed, in base64url: what the store keeps. */
ym_status ym_account_seal(const struct ym_ring *ring, const struct ym_account *a,
                          struct ym_buf *out, struct ym_err *err);

/* The other way; id as stored. *ret must be cleared whatever is answered. */
ym_status ym_account_open(const struct ym_ring *ring, struct ym_str id, struct ym_str sealed,
                          struct ym_account *ret, struct ym_err *err);

/* New recovery codes in place of the old; out is shown once and wiped by the caller. */
ym_status ym_account_codes(const struct ym_ring *ring, struct ym_account *a,
                           char out[YM_ACCOUNT_CODES][YM_ACCOUNT_CODE], struct ym_err *err);

/* True when code is one of the account's; it is taken out, and the account must be stored. */
bool ym_account_code_use(const struct ym_ring *ring, struct ym_account *a, struct ym_str code);

#endif
