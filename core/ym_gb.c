/* SPDX-License-Identifier: Apache-2.0
 * Check digits and forms of national identifiers, as domain rules and standards give them.
 */
#include "ym_gb.h"
#include "ym_time.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool all_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(p[i])) {
            return false;
        }
    }
    return n > 0;
}

/* n decimal digits, already checked. */
static int number(const char *p, size_t n)
{
    int v = 0;

    for (size_t i = 0; i < n; i++) {
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

bool ym_gb11643(struct ym_str s)
{
    static const int weight[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    static const char check[] = "10X98765432";
    int sum = 0;
    char last = 0;

    if (s.n != 18 || !all_digits(s.p, 17) || s.p[0] == '0') {
        return false;
    }
    if (!ym_date_valid(number(s.p + 6, 4), number(s.p + 10, 2), number(s.p + 12, 2))) {
        return false;
    }
    for (size_t i = 0; i < 17; i++) {
        sum += weight[i] * (s.p[i] - '0');
    }
    last = s.p[17] == 'x' ? 'X' : s.p[17];
    return last == check[sum % 11];
}

/* Value in the alphabet of GB 32100 (no I O S V Z), or -1. */
static int code31(char c)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

/* The eight-character body of an organisation code: digits and capitals count 0–35. */
static int code36(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : -1;
}

static bool gb11714_holds(const char body[8], char check)
{
    static const int weight[8] = {3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0;

    for (size_t i = 0; i < 8; i++) {
        int v = code36(body[i]);

        if (v < 0) {
            return false;
        }
        sum += weight[i] * v;
    }
    return check == "0X987654321"[sum % 11];
}

bool ym_gb32100(struct ym_str s)
{
    static const int weight[17] = {1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28};
    int sum = 0;

    /*
     * Characters 3–8 are the registering area.  The inner organisation code's own check character
     * is not asked: the outer one covers it, and a refusal here would stop a person's filing.
     */
    if (s.n != 18 || !all_digits(s.p + 2, 6)) {
        return false;
    }
    for (size_t i = 0; i < 17; i++) {
        int v = code31(s.p[i]);

        if (v < 0) {
            return false;
        }
        sum += weight[i] * v;
    }
    return code31(s.p[17]) == (31 - sum % 31) % 31;
}

bool ym_gb11714(struct ym_str s)
{
    if (s.n == 10 && s.p[8] == '-') {
        return gb11714_holds(s.p, s.p[9]);
    }
    return s.n == 9 && gb11714_holds(s.p, s.p[8]);
}

bool ym_area_code(struct ym_str s)
{
    if (s.n != 2 && s.n != 4 && s.n != 6 && s.n != 9 && s.n != 12) {
        return false;
    }
    return all_digits(s.p, s.n) && s.p[0] != '0';
}

bool ym_phone_cn(struct ym_str s)
{
    size_t area = 0;

    if (s.n == 11 && s.p[0] == '1') {
        return s.p[1] >= '3' && all_digits(s.p, s.n);
    }
    if (s.n < 10 || s.p[0] != '0' || s.p[1] == '0') {
        return false;
    }
    /* 010 and 02x have three digits, all others four. */
    area = s.p[1] <= '2' ? 3 : 4;
    if (!all_digits(s.p, area)) {
        return false;
    }
    s.p += area;
    s.n -= area;
    if (s.p[0] == '-') {
        s.p++;
        s.n--;
    }
    return (s.n == 7 || s.n == 8) && all_digits(s.p, s.n);
}

void ym_gb11643_read(struct ym_str s, char *ret_sex, char ret_birth[11])
{
    *ret_sex = (s.p[16] - '0') % 2 == 1 ? '1' : '2';
    memcpy(ret_birth, s.p + 6, 4);
    ret_birth[4] = '-';
    memcpy(ret_birth + 5, s.p + 10, 2);
    ret_birth[7] = '-';
    memcpy(ret_birth + 8, s.p + 12, 2);
    ret_birth[10] = '\0';
}
