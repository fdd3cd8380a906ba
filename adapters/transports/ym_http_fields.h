/* SPDX-License-Identifier: Apache-2.0
 * The rows of `connection:` that http, soap and form share.
 */
#ifndef YM_HTTP_FIELDS_H
#define YM_HTTP_FIELDS_H

#define YM_HTTP_BODY_MAX "8m"
#define YM_HTTP_HEADER_MAX "64k"

#define YM_HTTP_AT(member) offsetof(struct ym_http_settings, member)
#define YM_HTTP_FIELDS                                                                             \
    {"ca_file",                                                                                    \
     YM_FIELD_STRING,                                                                              \
     YM_HTTP_AT(ca_file),                                                                          \
     NULL,                                                                                         \
     0,                                                                                            \
     0,                                                                                            \
     NULL,                                                                                         \
     0,                                                                                            \
     "Certificates (PEM) the server is checked against, instead of the machine's."},               \
        {"client_cert",                                                                            \
         YM_FIELD_STRING,                                                                          \
         YM_HTTP_AT(client_cert),                                                                  \
         NULL,                                                                                     \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         0,                                                                                        \
         "Our certificate (PEM) for systems that ask for one."},                                   \
        {"client_key",                                                                             \
         YM_FIELD_STRING,                                                                          \
         YM_HTTP_AT(client_key),                                                                   \
         NULL,                                                                                     \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         0,                                                                                        \
         "Its key (PEM); the secret clientKeyPassword opens it."},                                 \
        {"connect_timeout",                                                                        \
         YM_FIELD_DURATION,                                                                        \
         YM_HTTP_AT(connect_timeout_ms),                                                           \
         "5s",                                                                                     \
         50,                                                                                       \
         120000,                                                                                   \
         NULL,                                                                                     \
         0,                                                                                        \
         "How long connecting and TLS may take."},                                                 \
        {"keep_alive",                                                                             \
         YM_FIELD_DURATION,                                                                        \
         YM_HTTP_AT(keep_alive_ms),                                                                \
         "4s",                                                                                     \
         0,                                                                                        \
         300000,                                                                                   \
         NULL,                                                                                     \
         0,                                                                                        \
         "How long an idle connection is used again; shorter than the server's own limit; 0 = "    \
         "never."},                                                                                \
        {"max_body",                                                                               \
         YM_FIELD_SIZE,                                                                            \
         YM_HTTP_AT(max_body),                                                                     \
         YM_HTTP_BODY_MAX,                                                                         \
         1024,                                                                                     \
         67108864,                                                                                 \
         NULL,                                                                                     \
         0,                                                                                        \
         "The largest reply that is read, unpacked."},                                             \
        {"max_header",                                                                             \
         YM_FIELD_SIZE,                                                                            \
         YM_HTTP_AT(max_header),                                                                   \
         YM_HTTP_HEADER_MAX,                                                                       \
         1024,                                                                                     \
         1048576,                                                                                  \
         NULL,                                                                                     \
         0,                                                                                        \
         "The most header bytes that are read."},                                                  \
        {"compressed",                                                                             \
         YM_FIELD_BOOL,                                                                            \
         YM_HTTP_AT(compressed),                                                                   \
         "false",                                                                                  \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         0,                                                                                        \
         "Whether gzip and deflate are offered."},                                                 \
    {                                                                                              \
        "no_chunked", YM_FIELD_BOOL, YM_HTTP_AT(no_chunked), "true", 0, 0, NULL, 0,                \
            "Says that the system refuses chunked bodies; none are ever sent, so it changes "      \
            "nothing."                                                                             \
    }

#endif
