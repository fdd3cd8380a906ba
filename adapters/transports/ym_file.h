/* SPDX-License-Identifier: Apache-2.0
 * What the two halves of transport file share: names, deadline, and one table of calls per kind of
 * place (a local folder, or a server behind libcurl).
 */
#ifndef YM_FILE_H
#define YM_FILE_H

#include "ym_transports.h"

enum ym_file_tls { YM_FILE_TLS_NONE, YM_FILE_TLS_EXPLICIT };

struct ym_file_settings {
    const char *user, *private_key, *public_key, *known_hosts, *host_key_sha256, *ca_file;
    int64_t connect_timeout_ms, max_file;
    int tls;
};

enum ym_file_result {
    YM_FILE_DONE,    /* it happened */
    YM_FILE_ABSENT,  /* the file does not exist */
    YM_FILE_REFUSED, /* the other side answered that it did not happen */
    YM_FILE_FAILED,  /* before anything could happen: not connected, not signed in */
    YM_FILE_UNCLEAR  /* it may or may not have happened */
};

struct ym_link {
    struct ym_arena *arena;
    const struct ym_system *sys;
    const struct ym_secrets *secrets;
    struct ym_file_settings settings;
    const struct ym_file_place *place;
    const char *folder;   /* decoded path of the endpoint, with a slash at its end */
    const char *base_url; /* encoded, with a slash at its end; NULL for a local folder */
    bool sftp;
    CURL *easy;          /* made at first use; keeps its connection */
    int64_t deadline_ms; /* of the run under way */
    const char *problem; /* words for the last result that was not DONE */
};

/* Paths are relative to the folder and have been checked. */
struct ym_file_place {
    enum ym_file_result (*put)(struct ym_link *l, const char *path, struct ym_str content);
    enum ym_file_result (*get)(struct ym_link *l, const char *path, struct ym_buf *content);
    enum ym_file_result (*rename)(struct ym_link *l, const char *from, const char *to);
    enum ym_file_result (*remove)(struct ym_link *l, const char *path);
};

extern const struct ym_file_place ym_file_local, ym_file_remote;

void ym_file_hang_up(struct ym_link *l); /* the connection is not used again */

#endif
