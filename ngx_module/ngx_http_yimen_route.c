/* SPDX-License-Identifier: Apache-2.0
 * Routes.
 */
#include "ngx_http_yimen_auth.h"
#include "ngx_http_yimen_cas.h"
#include "ngx_http_yimen_oidc.h"
#include "ngx_http_yimen_route.h"
#include "ngx_http_yimen_vault.h"


#define API  "/api/v1"

#define WRITERS  (NGX_HTTP_YIMEN_ROLE_STAFF|NGX_HTTP_YIMEN_ROLE_SUPERVISOR    \
                  |NGX_HTTP_YIMEN_ROLE_ADMIN)
#define READERS  (WRITERS|NGX_HTTP_YIMEN_ROLE_OPERATOR)
#define OPERATORS  (NGX_HTTP_YIMEN_ROLE_OPERATOR|NGX_HTTP_YIMEN_ROLE_ADMIN)
#define AUDITORS  (NGX_HTTP_YIMEN_ROLE_AUDITOR|NGX_HTTP_YIMEN_ROLE_ADMIN)

#define RECORD  NGX_HTTP_YIMEN_ROUTE_RECORD
#define BODY    NGX_HTTP_YIMEN_ROUTE_BODY
#define FORM    NGX_HTTP_YIMEN_ROUTE_FORM
#define PUBLIC  NGX_HTTP_YIMEN_ROUTE_PUBLIC
#define PAGE    NGX_HTTP_YIMEN_ROUTE_PAGE
#define OWNCHECK  NGX_HTTP_YIMEN_ROUTE_OWNCHECK

/* a page for people who may or may not be signed in */
#define VISITOR  (NGX_HTTP_YIMEN_ROUTE_OPTIONAL|PAGE)


static ngx_uint_t ngx_http_yimen_route_match(const char *pattern,
    struct ym_str path, struct ym_str params[2]);


const ngx_http_yimen_route_t  ngx_http_yimen_routes[] = {

    { NGX_HTTP_POST, API "/records", WRITERS, BODY,
      ngx_http_yimen_record_create, "createRecord",
      "Checks a record against every target, accepts it, delivers it" },

    { NGX_HTTP_GET, API "/records", READERS, 0,
      ngx_http_yimen_record_list, "listRecords",
      "Records one may see, newest first" },

    { NGX_HTTP_GET, API "/records/{id}", READERS, RECORD,
      ngx_http_yimen_record_get, "getRecord",
      "A record and its deliveries" },

    { NGX_HTTP_PATCH, API "/records/{id}", WRITERS,
      RECORD|NGX_HTTP_YIMEN_ROUTE_PATCH,
      ngx_http_yimen_record_patch, "patchRecord",
      "A new revision, by merge patch" },

    { NGX_HTTP_POST, API "/records/{id}/amend", READERS, RECORD|BODY,
      ngx_http_yimen_record_amend, "amendRecord",
      "A new revision on behalf of the owner, for a reason" },

    { NGX_HTTP_GET, API "/records/{id}/history", READERS, RECORD,
      ngx_http_yimen_record_history, "getHistory",
      "Every revision, oldest first" },

    { NGX_HTTP_POST, API "/records/{id}/reveal", READERS, RECORD|BODY,
      ngx_http_yimen_record_reveal, "revealRecord",
      "A masked record in full, for a purpose that is written down" },

    { NGX_HTTP_POST, API "/records/{id}/withdraw", WRITERS, RECORD|BODY,
      ngx_http_yimen_record_withdraw, "withdrawRecord",
      "Takes a record back, everywhere" },

    { NGX_HTTP_POST, API "/feedback", NGX_HTTP_YIMEN_ROLE_ANY, BODY,
      ngx_http_yimen_feedback_create, "createFeedback",
      "Tells the operators what is wrong with Yimen itself" },

    { NGX_HTTP_POST, API "/feedback/{id}/close", OPERATORS, RECORD|BODY,
      ngx_http_yimen_feedback_close, "closeFeedback",
      "It has been dealt with" },

    { NGX_HTTP_POST, API "/attachments", WRITERS, NGX_HTTP_YIMEN_ROUTE_FILE,
      ngx_http_yimen_attachment_create, "createAttachment",
      "Uploads a file, for a record to name" },

    { NGX_HTTP_GET, API "/attachments/{id}", READERS, RECORD,
      ngx_http_yimen_attachment_get, "getAttachment",
      "The file" },

    { NGX_HTTP_POST, API "/records/{id}/deliveries/{system}/retry",
      NGX_HTTP_YIMEN_ROLE_SUPERVISOR|OPERATORS, RECORD|BODY,
      ngx_http_yimen_delivery_retry, "retryDelivery",
      "Queues a dead, rejected or retrying delivery now" },

    { NGX_HTTP_POST, API "/records/{id}/deliveries/{system}/resolve",
      READERS, RECORD|BODY,
      ngx_http_yimen_delivery_resolve, "resolveDelivery",
      "Says how an unknown, dead or handed-over delivery ended" },

    { NGX_HTTP_GET, API "/records/{id}/deliveries/{system}/attempts",
      NGX_HTTP_YIMEN_ROLE_SUPERVISOR|OPERATORS, RECORD,
      ngx_http_yimen_delivery_attempts, "listAttempts",
      "What the last attempts that failed sent and got, values hidden" },

    { NGX_HTTP_POST, API "/records/{id}/deliveries/{system}/attempts/reveal",
      NGX_HTTP_YIMEN_ROLE_SUPERVISOR|OPERATORS, RECORD|BODY,
      ngx_http_yimen_delivery_attempts_reveal, "revealAttempts",
      "The same in full, for a purpose that is written down" },

    { NGX_HTTP_GET, API "/records/{id}/deliveries/{system}/card",
      READERS, RECORD,
      ngx_http_yimen_delivery_card, "getDeliveryCard",
      "What a system gets of a record, in its own words" },

    { NGX_HTTP_GET, API "/events", READERS, 0,
      ngx_http_yimen_events, "watchRecord",
      "How a record's deliveries go on, as server-sent events" },

    { NGX_HTTP_GET, API "/deliveries", OPERATORS, 0,
      ngx_http_yimen_deliveries_list, "listDeliveries",
      "Deliveries that need attention" },

    { NGX_HTTP_GET, API "/types", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_types_list, "listTypes",
      "Types of records" },

    { NGX_HTTP_GET, API "/types/{type}", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_type_get, "getType",
      "The JSON Schema of a type" },

    { NGX_HTTP_GET, API "/types/{type}/targets", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_type_targets, "getTypeTargets",
      "Which system takes which field of a type" },

    { NGX_HTTP_GET, API "/codes/{table}", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_codes_get, "getCodes",
      "A code table" },

    { NGX_HTTP_GET, API "/systems", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_systems_list, "listSystems",
      "Systems, their health and their queues" },

    { NGX_HTTP_POST, API "/systems/{system}/pause", OPERATORS, BODY,
      ngx_http_yimen_system_pause, "pauseSystem",
      "Stops deliveries to a system; nothing is lost" },

    { NGX_HTTP_POST, API "/systems/{system}/resume", OPERATORS, BODY,
      ngx_http_yimen_system_resume, "resumeSystem",
      "Lets deliveries go on" },

    { NGX_HTTP_POST, API "/systems/{system}/replay", OPERATORS, BODY,
      ngx_http_yimen_system_replay, "replaySystem",
      "Queues dead or rejected deliveries again" },

    { NGX_HTTP_GET, API "/systems/{system}/adapter", OPERATORS, 0,
      ngx_http_yimen_adapter_get, "getAdapter",
      "How a system is spoken to, field by field; what its tests said" },

    { NGX_HTTP_POST, API "/systems/{system}/render", OPERATORS, BODY,
      ngx_http_yimen_system_render, "renderRecord",
      "What a system would get of a record; nothing is sent" },

    { NGX_HTTP_GET, API "/reports/redundancy", OPERATORS, 0,
      ngx_http_yimen_report_redundancy, "reportRedundancy",
      "Which systems ask for the same fields, and which could be retired" },

    { NGX_HTTP_GET, API "/reports/burden", OPERATORS, 0,
      ngx_http_yimen_report_burden, "reportBurden",
      "Fields typed and fields delivered, sign-ins and entries, by day" },

    { NGX_HTTP_GET, API "/reports/usage", OPERATORS, 0,
      ngx_http_yimen_report_usage, "reportUsage",
      "Entries into each application by day; nobody is named" },

    { NGX_HTTP_GET, API "/audit", AUDITORS, 0,
      ngx_http_yimen_audit_list, "listAudit",
      "Who did what, and why" },

    { NGX_HTTP_POST, API "/tokens/revoke", NGX_HTTP_YIMEN_ROLE_ADMIN, BODY,
      ngx_http_yimen_token_revoke, "revokeToken",
      "Ends bearer tokens before their time" },

    { NGX_HTTP_GET, API "/me", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_me, "getMe",
      "Who one is here" },

    { NGX_HTTP_GET, API "/sessions", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_sessions_list, "listSessions",
      "One's sessions; a person's, for administrators" },

    { NGX_HTTP_DELETE, API "/sessions", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_sessions_end, "endSessions",
      "Ends one's other sessions; all of a person's, for administrators" },

    { NGX_HTTP_DELETE, API "/sessions/{session}", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_session_delete, "endSession",
      "Ends one session, everywhere within a second" },

    { NGX_HTTP_GET, API "/applications", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_apps_list, "listApplications",
      "Applications that one may open, and whether one's account is there" },

    { NGX_HTTP_GET, API "/vault", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_vault_list, "listVault",
      "Applications that one's accounts are entered for; never a value" },

    { NGX_HTTP_PUT, API "/vault/{system}", NGX_HTTP_YIMEN_ROLE_ANY, BODY,
      ngx_http_yimen_vault_put, "putVault",
      "Enters one's account at an application" },

    { NGX_HTTP_DELETE, API "/vault/{system}", NGX_HTTP_YIMEN_ROLE_ANY, 0,
      ngx_http_yimen_vault_delete, "deleteVault",
      "Takes it away again" },

    { NGX_HTTP_POST, "/auth/logout", NGX_HTTP_YIMEN_ROLE_ANY,
      NGX_HTTP_YIMEN_ROUTE_FORM|NGX_HTTP_YIMEN_ROUTE_OPTIONAL
      |NGX_HTTP_YIMEN_ROUTE_PAGE,
      ngx_http_yimen_logout, "signOut",
      "Ends the session of this browser" },

    { NGX_HTTP_GET, API "/users", NGX_HTTP_YIMEN_ROLE_ADMIN, 0,
      ngx_http_yimen_users_list, "listUsers",
      "Local accounts" },

    { NGX_HTTP_POST, API "/users", NGX_HTTP_YIMEN_ROLE_ADMIN, BODY,
      ngx_http_yimen_user_create, "createUser",
      "A new local account, and the link that sets its password" },

    { NGX_HTTP_PATCH, API "/users/{id}", NGX_HTTP_YIMEN_ROLE_ADMIN,
      RECORD|NGX_HTTP_YIMEN_ROUTE_PATCH,
      ngx_http_yimen_user_change, "patchUser",
      "Changes a local account; its sessions end" },

    { NGX_HTTP_POST, API "/users/{id}/reset", NGX_HTTP_YIMEN_ROLE_ADMIN,
      RECORD|BODY,
      ngx_http_yimen_user_reset, "resetUser",
      "A link that sets a password once, within 15 minutes" },

    { NGX_HTTP_POST, API "/users/{id}/unlock", NGX_HTTP_YIMEN_ROLE_ADMIN,
      RECORD|BODY,
      ngx_http_yimen_user_unlock, "unlockUser",
      "Ends the waiting after wrong passwords" },

    { NGX_HTTP_GET, "/cas/login", NGX_HTTP_YIMEN_ROLE_ANY,
      NGX_HTTP_YIMEN_ROUTE_OPTIONAL|NGX_HTTP_YIMEN_ROUTE_PAGE,
      ngx_http_yimen_cas_login, "casLogin",
      "CAS: signs in and sends on with a ticket" },

    { NGX_HTTP_GET, "/cas/logout", NGX_HTTP_YIMEN_ROLE_ANY,
      NGX_HTTP_YIMEN_ROUTE_OPTIONAL|NGX_HTTP_YIMEN_ROUTE_PAGE,
      ngx_http_yimen_cas_logout, "casLogout",
      "CAS: ends the session of this browser" },

    { NGX_HTTP_GET, "/cas/validate", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_cas_validate, "casValidate",
      "CAS 1.0: whose ticket it is, as text" },

    { NGX_HTTP_GET, "/cas/serviceValidate", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_cas_validate2, "casServiceValidate",
      "CAS 2.0: whose ticket it is" },

    { NGX_HTTP_GET, "/cas/proxyValidate", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_cas_validate2, "casProxyValidate",
      "CAS 2.0: the same; there are no proxy tickets" },

    { NGX_HTTP_GET, "/cas/p3/serviceValidate", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_cas_validate3, "casServiceValidate3",
      "CAS 3.0: whose ticket it is, with attributes" },

    { NGX_HTTP_GET, "/cas/p3/proxyValidate", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_cas_validate3, "casProxyValidate3",
      "CAS 3.0: the same; there are no proxy tickets" },

    { NGX_HTTP_GET, API "/openapi.json", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_openapi_get, "getOpenapi",
      "This document" },

    { NGX_HTTP_GET, "/.well-known/jwks.json", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_jwks_get, "getIdentityKeys",
      "Public keys of the tokens that tell applications who a person is" },

    { NGX_HTTP_GET, "/auth/login", 0, VISITOR,
      ngx_http_yimen_login_get, "showLogin",
      "The sign-in page" },

    { NGX_HTTP_POST, "/auth/login", 0, VISITOR|FORM|OWNCHECK,
      ngx_http_yimen_login_post, "login",
      "Name and password" },

    { NGX_HTTP_POST, "/auth/login/code", 0, VISITOR|FORM|OWNCHECK,
      ngx_http_yimen_login_code, "loginCode",
      "The second factor" },

    { NGX_HTTP_GET, "/auth/signed-out", 0, VISITOR,
      ngx_http_yimen_signed_out, "signedOut",
      "After the sign-out" },

    { NGX_HTTP_GET, "/auth/reset", 0, VISITOR,
      ngx_http_yimen_reset_get, "showReset",
      "Sets a password by a link" },

    { NGX_HTTP_POST, "/auth/reset", 0, VISITOR|FORM|OWNCHECK,
      ngx_http_yimen_reset_post, "reset",
      "Sets a password by a link" },

    { NGX_HTTP_GET, "/auth/password", NGX_HTTP_YIMEN_ROLE_ANY, PAGE,
      ngx_http_yimen_password_get, "showPassword",
      "One's own password" },

    { NGX_HTTP_POST, "/auth/password", NGX_HTTP_YIMEN_ROLE_ANY, PAGE|FORM,
      ngx_http_yimen_password_post, "changePassword",
      "One's own password" },

    { NGX_HTTP_GET, "/auth/totp", NGX_HTTP_YIMEN_ROLE_ANY, PAGE,
      ngx_http_yimen_totp_get, "showSecondFactor",
      "One's own second factor" },

    { NGX_HTTP_POST, "/auth/totp", NGX_HTTP_YIMEN_ROLE_ANY, PAGE|FORM,
      ngx_http_yimen_totp_post, "changeSecondFactor",
      "One's own second factor" },

    { NGX_HTTP_GET, "/auth/start/{provider}", 0, PUBLIC|PAGE,
      ngx_http_yimen_oidc_start, "signInAtProvider",
      "Sends the browser to an OpenID provider" },

    { NGX_HTTP_GET, "/auth/callback/{provider}", 0, PUBLIC|PAGE,
      ngx_http_yimen_oidc_callback, "finishSignIn",
      "Where an OpenID provider sends the browser back to" },

    { NGX_HTTP_POST, "/auth/callback/{provider}", 0, PUBLIC|PAGE|FORM,
      ngx_http_yimen_oidc_form_post, "finishSignInByForm",
      "The same with response_mode form_post" },

    { NGX_HTTP_POST, "/auth/backchannel/{provider}", 0, PUBLIC|FORM,
      ngx_http_yimen_oidc_backchannel, "backChannelLogout",
      "Logout tokens of an OpenID provider" },

    { NGX_HTTP_GET, "/auth/frontchannel/{provider}", 0, PUBLIC,
      ngx_http_yimen_oidc_frontchannel, "frontChannelLogout",
      "Logout by a frame of an OpenID provider" },

    { NGX_HTTP_GET, "/metrics", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_metrics, "getMetrics",
      "Counters for Prometheus" },

    { NGX_HTTP_GET, "/healthz", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_healthz, "getHealth",
      "Whether the process serves" },

    { NGX_HTTP_GET, "/readyz", 0, NGX_HTTP_YIMEN_ROUTE_PUBLIC,
      ngx_http_yimen_readyz, "getReadiness",
      "Whether records can be accepted" },

    { 0, NULL, 0, 0, NULL, NULL, NULL }
};


const ngx_http_yimen_route_t *
ngx_http_yimen_route_find(ngx_uint_t method, struct ym_str path,
    struct ym_str params[2], ngx_uint_t *ret_allowed)
{
    ngx_uint_t                     allowed;
    const ngx_http_yimen_route_t  *route;

    allowed = 0;

    if (method == NGX_HTTP_HEAD) {
        method = NGX_HTTP_GET;
    }

    for (route = ngx_http_yimen_routes; route->path != NULL; route++) {

        if (!ngx_http_yimen_route_match(route->path, path, params)) {
            continue;
        }

        if (route->method == method) {
            return route;
        }

        allowed |= route->method;
    }

    if (allowed & NGX_HTTP_GET) {
        allowed |= NGX_HTTP_HEAD;
    }

    *ret_allowed = allowed;

    return NULL;
}


static ngx_uint_t
ngx_http_yimen_route_match(const char *pattern, struct ym_str path,
    struct ym_str params[2])
{
    size_t      i, from;
    ngx_uint_t  n;

    n = 0;
    i = 0;

    while (*pattern != '\0') {

        if (*pattern == '{') {
            from = i;

            while (i < path.n && path.p[i] != '/') {
                i++;
            }

            if (i == from) {
                return 0;
            }

            params[n++] = (struct ym_str){ path.p + from, i - from };
            pattern = ngx_strchr(pattern, '}') + 1;
            continue;
        }

        if (i == path.n || path.p[i] != *pattern) {
            return 0;
        }

        i++;
        pattern++;
    }

    return i == path.n;
}


void
ngx_http_yimen_route_methods(ngx_uint_t methods, struct ym_buf *out)
{
    ngx_uint_t  i;

    static const struct {
        ngx_uint_t   bit;
        const char  *name;
    } names[] = {
        { NGX_HTTP_GET, "GET" }, { NGX_HTTP_HEAD, "HEAD" },
        { NGX_HTTP_POST, "POST" }, { NGX_HTTP_PUT, "PUT" },
        { NGX_HTTP_PATCH, "PATCH" }, { NGX_HTTP_DELETE, "DELETE" }
    };

    for (i = 0; i < YM_COUNT(names); i++) {

        if (!(methods & names[i].bit)) {
            continue;
        }

        if (out->n) {
            ym_buf_adds(out, ", ");
        }

        ym_buf_adds(out, names[i].name);
    }
}
