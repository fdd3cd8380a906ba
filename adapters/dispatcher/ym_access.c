/* SPDX-License-Identifier: Apache-2.0
 * Redis's address, password and function library (ym_access.h).
 */
#include "ym_access.h"

#include "ym_arena.h"
#include "ym_id.h"
#include "ym_secrets.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The Lua text becomes part of the program: a dispatcher can never be run with another's library. */
__asm__(".pushsection .rodata\n"
        ".global ym_store_lua\n"
        ".hidden ym_store_lua\n"
        ".global ym_store_lua_end\n"
        ".hidden ym_store_lua_end\n"
        "ym_store_lua:\n"
        ".incbin \"core/ym_store.lua\"\n" /* and its parts, in name order */
        ".incbin \"core/ym_store_account.lua\"\n"
        ".incbin \"core/ym_store_attachment.lua\"\n"
        ".incbin \"core/ym_store_cas.lua\"\n"
        ".incbin \"core/ym_store_desk.lua\"\n"
        ".incbin \"core/ym_store_evidence.lua\"\n"
        ".incbin \"core/ym_store_list.lua\"\n"
        ".incbin \"core/ym_store_mend.lua\"\n"
        ".incbin \"core/ym_store_once.lua\"\n"
        ".incbin \"core/ym_store_record.lua\"\n"
        ".incbin \"core/ym_store_reseal.lua\"\n"
        ".incbin \"core/ym_store_revoke.lua\"\n"
        ".incbin \"core/ym_store_session.lua\"\n"
        ".incbin \"core/ym_store_tally.lua\"\n"
        ".incbin \"core/ym_store_trace.lua\"\n"
        ".incbin \"core/ym_store_vault.lua\"\n"
        ".incbin \"core/ym_store_work.lua\"\n"
        "ym_store_lua_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const char ym_store_lua[] __attribute__((visibility("hidden")));
extern const char ym_store_lua_end[] __attribute__((visibility("hidden")));

struct ym_str ym_access_library(void)
{
    return (struct ym_str){ym_store_lua, (size_t)(ym_store_lua_end - ym_store_lua)};
}

static ym_status access_address(struct ym_access *a, const char *redis, struct ym_err *err)
{
    const char *colon;
    struct sockaddr_un un;

    if (redis == NULL) {
        return ym_err_set(err, YM_EINVAL, "redis: is missing; give unix:PATH or HOST:PORT");
    }
    if (strncmp(redis, "unix:", 5) == 0) {
        if (strlen(redis + 5) >= sizeof(un.sun_path)) {
            return ym_err_set(err, YM_EINVAL, "redis: the socket's path has more than %zu bytes",
                              sizeof(un.sun_path) - 1);
        }
        a->path = strdup(redis + 5);
        return a->path != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
    }

    colon = strrchr(redis, ':');
    if (colon == NULL || colon == redis || colon[1] == '\0' || strlen(colon + 1) > 5) {
        return ym_err_set(err, YM_EINVAL, "redis: must be unix:PATH or HOST:PORT");
    }
    a->host = strndup(redis, (size_t)(colon - redis));
    memcpy(a->port, colon + 1, strlen(colon + 1) + 1);
    return a->host != NULL ? YM_OK : ym_err_set(err, YM_ENOMEM, "out of memory");
}

ym_status ym_access_init(struct ym_access *a, const struct ym_site *site, struct ym_err *err)
{
    ym_status rc;

    memset(a, 0, sizeof(*a));
    if (site->shards < 1 || site->shards > YM_SHARDS_MAX) {
        return ym_err_set(err, YM_EINVAL, "shards: must be 1 to %d", YM_SHARDS_MAX);
    }
    a->shards = (unsigned)site->shards;

    rc = access_address(a, site->redis, err);
    if (rc == YM_OK && site->redis_password != NULL) {
        rc = ym_secret_resolve(site->redis_password, &a->password, err);
    }
    if (rc != YM_OK) {
        ym_access_clear(a);
    }
    return rc;
}

void ym_access_clear(struct ym_access *a)
{
    if (a->password != NULL) {
        ym_wipe(a->password, strlen(a->password));
    }
    free(a->password);
    free(a->path);
    free(a->host);
    memset(a, 0, sizeof(*a));
}

static int access_socket(const struct sockaddr *to, socklen_t len, bool *ret_pending)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0) {
        return -1;
    }
    if (to->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
    *ret_pending = false;
    if (connect(fd, to, len) == 0) {
        return fd;
    }
    if (errno == EINPROGRESS) {
        *ret_pending = true;
        return fd;
    }
    close(fd);
    return -1;
}

ym_status ym_access_connect(const struct ym_access *a, int *ret_fd, bool *ret_pending,
                            struct ym_err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int fd = -1, rc;

    if (a->path != NULL) {
        memcpy(un.sun_path, a->path, strlen(a->path) + 1);
        fd = access_socket((const struct sockaddr *)&un, sizeof(un), ret_pending);
        if (fd < 0) {
            return ym_err_set(err, YM_EIO, "Redis at %s: %s", a->path, strerror(errno));
        }
        *ret_fd = fd;
        return YM_OK;
    }

    rc = getaddrinfo(a->host, a->port, &hints, &list);
    if (rc != 0) {
        return ym_err_set(err, YM_EIO, "Redis at %s:%s: %s", a->host, a->port, gai_strerror(rc));
    }
    for (const struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
        fd = access_socket(ai->ai_addr, ai->ai_addrlen, ret_pending);
    }
    freeaddrinfo(list);
    if (fd < 0) {
        return ym_err_set(err, YM_EIO, "Redis at %s:%s: %s", a->host, a->port, strerror(errno));
    }
    *ret_fd = fd;
    return YM_OK;
}
