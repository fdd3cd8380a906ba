/* SPDX-License-Identifier: Apache-2.0
 * Whom a request may go to, and who we are to him.  The address is judged
 * after the name was resolved, and again before the request is sent.
 */
#include "ngx_http_yimen_fetch_priv.h"

#include "ym_reach.h"


static curl_socket_t ngx_http_yimen_fetch_socket_open(void *data,
    curlsocktype purpose, struct curl_sockaddr *address);
static int ngx_http_yimen_fetch_before(void *data, char *peer, char *own,
    int peer_port, int own_port);
static ngx_uint_t ngx_http_yimen_fetch_allowed(
    ngx_http_yimen_fetch_job_t *job, const struct sockaddr *address);


ngx_int_t
ngx_http_yimen_fetch_set_peer(ngx_http_yimen_fetch_job_t *job,
    const ngx_http_yimen_fetch_t *what)
{
    ngx_uint_t           ok;
    const char *const   *line;

    ok = ngx_http_yimen_fetch_opt(job, CURLOPT_PROXY, "")
         && ngx_http_yimen_fetch_opt(job, CURLOPT_NOPROXY, "*")
         && ngx_http_yimen_fetch_opt(job, CURLOPT_OPENSOCKETFUNCTION,
                                     ngx_http_yimen_fetch_socket_open)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_OPENSOCKETDATA, job)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_PREREQFUNCTION,
                                     ngx_http_yimen_fetch_before)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_PREREQDATA, job)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_SSLVERSION,
                                     (long) CURL_SSLVERSION_TLSv1_2)
         && ngx_http_yimen_fetch_opt(job, CURLOPT_CAPATH, NULL);

    if (ok && what->ca != NULL) {
        ok = ngx_http_yimen_fetch_opt(job, CURLOPT_CAINFO, what->ca);
    }

    if (ok && what->unix_socket != NULL) {
        ok = ngx_http_yimen_fetch_opt(job, CURLOPT_UNIX_SOCKET_PATH,
                                      what->unix_socket);
    }

    if (ok && what->user != NULL) {
        ok = ngx_http_yimen_fetch_opt(job, CURLOPT_HTTPAUTH,
                                      (long) CURLAUTH_BASIC)
             && ngx_http_yimen_fetch_opt(job, CURLOPT_USERNAME, what->user)
             && ngx_http_yimen_fetch_opt(job, CURLOPT_PASSWORD,
                                         what->password != NULL
                                         ? what->password : "");
    }

    if (ok && job->jar) {
        ok = ngx_http_yimen_fetch_opt(job, CURLOPT_COOKIEFILE, "");

        for (line = what->cookies; ok && line != NULL && *line != NULL;
             line++)
        {
            ok = ngx_http_yimen_fetch_opt(job, CURLOPT_COOKIELIST, *line);
        }
    }

    return ok ? NGX_OK : NGX_ERROR;
}


/* libcurl's callback: the name is resolved, nothing is connected yet */

static curl_socket_t
ngx_http_yimen_fetch_socket_open(void *data, curlsocktype purpose,
    struct curl_sockaddr *address)
{
    ngx_http_yimen_fetch_job_t  *job = data;

    if (!ngx_http_yimen_fetch_allowed(job, &address->addr)) {
        job->refused = 1;
        return CURL_SOCKET_BAD;
    }

    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}


/*
 * libcurl's callback: before the request goes out.  A connection that was kept
 * from a request with other permissions is caught here.
 */
static int
ngx_http_yimen_fetch_before(void *data, char *peer, char *own, int peer_port,
    int own_port)
{
    struct sockaddr_in           in;
    struct sockaddr_in6          in6;
    struct sockaddr             *address;
    ngx_http_yimen_fetch_job_t  *job = data;

    if (job->local) {
        return CURL_PREREQFUNC_OK;
    }

    ngx_memzero(&in, sizeof(in));
    ngx_memzero(&in6, sizeof(in6));
    address = NULL;

    if (inet_pton(AF_INET, peer, &in.sin_addr) == 1) {
        in.sin_family = AF_INET;
        address = (struct sockaddr *) &in;

    } else if (inet_pton(AF_INET6, peer, &in6.sin6_addr) == 1) {
        in6.sin6_family = AF_INET6;
        address = (struct sockaddr *) &in6;
    }

    if (address == NULL || !ngx_http_yimen_fetch_allowed(job, address)) {
        job->refused = 1;
        return CURL_PREREQFUNC_ABORT;
    }

    return CURL_PREREQFUNC_OK;
}


static ngx_uint_t
ngx_http_yimen_fetch_allowed(ngx_http_yimen_fetch_job_t *job,
    const struct sockaddr *address)
{
    enum ym_reach               reach;
    const struct sockaddr_in   *in;
    const struct sockaddr_in6  *in6;

    if (job->local) {
        return address->sa_family == AF_UNIX;
    }

    if (address->sa_family == AF_INET) {
        in = (const struct sockaddr_in *) (const void *) address;
        reach = ym_reach_of((const u_char *) &in->sin_addr, 4);

    } else if (address->sa_family == AF_INET6) {
        in6 = (const struct sockaddr_in6 *) (const void *) address;
        reach = ym_reach_of((const u_char *) &in6->sin6_addr, 16);

    } else {
        return 0;
    }

    return reach == YM_REACH_PUBLIC
           || (reach == YM_REACH_INSIDE && job->inside);
}
