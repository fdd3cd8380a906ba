/* SPDX-License-Identifier: Apache-2.0
 * Reads a whole file; ym_slurp.h says how.
 */
#include "ym_slurp.h"

#include <errno.h>
#include <stdio.h>

ym_status ym_slurp(const char *path, struct ym_buf *text, struct ym_err *err)
{
    char chunk[4096];
    size_t n;
    ym_status rc;
    FILE *f = fopen(path, "rbe");

    if (f == NULL) {
        return ym_err_at(err, errno == ENOENT ? YM_ENOTFOUND : YM_EIO, path, 0, 0,
                         "cannot be opened: %s", strerror(errno));
    }
    do {
        n = fread(chunk, 1, sizeof(chunk), f);
        rc = ym_buf_add(text, chunk, n);
    } while (n == sizeof(chunk) && rc == YM_OK);
    if (rc == YM_ETOOBIG) {
        (void)ym_err_at(err, rc, path, 0, 0, "the file is larger than %zu MiB",
                        text->ceiling >> 20);
    } else if (rc != YM_OK) {
        (void)ym_err_at(err, rc, path, 0, 0, "out of memory");
    } else if (ferror(f)) {
        rc = ym_err_at(err, YM_EIO, path, 0, 0, "cannot be read; is it a regular file?");
    }
    (void)fclose(f);
    return rc;
}
