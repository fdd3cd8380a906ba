/* SPDX-License-Identifier: Apache-2.0
 * Check digits and forms of national identifiers. Pure; inputs are UTF-8 views.
 */
#ifndef YM_GB_H
#define YM_GB_H

#include "ym_base.h"

bool ym_gb11643(struct ym_str s);   /* citizen identity number, 18 characters, x or X (GB 11643-1999) */
bool ym_gb32100(struct ym_str s);   /* unified social credit code (GB 32100-2015) */
bool ym_gb11714(struct ym_str s);   /* organisation code, with or without the hyphen (GB 11714-1997) */
bool ym_area_code(struct ym_str s); /* 2, 4, 6, 9 or 12 digits (GB/T 2260, GB/T 10114) */
bool ym_phone_cn(struct ym_str s);  /* mobile 1[3-9] + 9 digits, or area code and landline */

/* From a valid identity number: sex '1' male or '2' female (GB/T 2261.1), birth "YYYY-MM-DD". */
void ym_gb11643_read(struct ym_str s, char *ret_sex, char ret_birth[11]);

#endif
