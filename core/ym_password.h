/* SPDX-License-Identifier: Apache-2.0
 * Passwords: hashed with a memory-hard function, stored as text that says how.
 *
 * Stored form (PHC): `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`; `$pbkdf2-sm3$i=600000$<salt>$<hash>`
 * where the site must use national algorithms; Base64 without padding. A call needs up to a tenth
 * of a second and, with scrypt, 128 · r · 2^ln bytes: never on an event loop. Thread-safe.
 */
#ifndef YM_PASSWORD_H
#define YM_PASSWORD_H

#include "ym_buf.h"
#include "ym_err.h"

#define YM_PASSWORD_MAX 1024     /* bytes of a password, in NFC */
#define YM_PASSWORD_HASH_MAX 160 /* bytes of the stored form, with NUL */
#define YM_PASSWORD_LN 15        /* scrypt: N = 2^15, r = 8, p = 1: 32 MiB, about 0.1 s */
#define YM_PASSWORD_LN_MIN 10
#define YM_PASSWORD_LN_MAX 17
#define YM_PASSWORD_SM3_ROUNDS 600000

enum ym_password_kind { YM_PASSWORD_SCRYPT, YM_PASSWORD_SM3 };

/* What new hashes are made with, and what stored ones are compared with. */
struct ym_password_rules {
    enum ym_password_kind kind;
    int ln;     /* of scrypt */
    int rounds; /* of PBKDF2-SM3 */
};
extern const struct ym_password_rules ym_password_defaults;

/*
 * Appends the stored form. YM_EINVAL: empty, longer than YM_PASSWORD_MAX, not UTF-8, or a control
 * character in it; nothing is ever cut. YM_EUNSUPPORTED: OpenSSL has no SM3.
 */
ym_status ym_password_hash(const struct ym_password_rules *rules, struct ym_str password,
                           char out[YM_PASSWORD_HASH_MAX], struct ym_err *err);

/*
 * YM_OK: it is the password. YM_EAUTH: it is not, or could not be one. Anything else: the stored
 * form is damaged or its cost is out of bounds. stored NULL = nobody of that name: costs as much as
 * a hash by rules and answers YM_EAUTH.
 */
ym_status ym_password_verify(const struct ym_password_rules *rules, struct ym_str password,
                             const char *stored, struct ym_err *err);

/* True when stored was made by another algorithm or at another cost than rules say. */
bool ym_password_is_old(const struct ym_password_rules *rules, const char *stored);

/*
 * Whether a new password is fit: at least `least` characters, not one character or the sequence of
 * keys over and over, none of the names, none of the few that are tried first. NULL = fit, or
 * a word for the reason: "short" "long" "text" "simple" "name".
 */
const char *ym_password_unfit(struct ym_str password, size_t least, const char *const *names,
                              size_t name_count);

#endif
