/* SPDX-License-Identifier: Apache-2.0
 * The ceiling for deliveries: a bare curl_multi loop that posts the same bytes again and again.
 * Usage: bench_curl URL BODY_FILE REQUESTS CONCURRENCY   prints requests per second
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MOST 512

static size_t swallow(char *p, size_t size, size_t n, void *data)
{
    (void)p;
    (void)data;
    return size * n;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static CURL *request(const char *url, const char *body, long size, struct curl_slist *headers)
{
    CURL *e = curl_easy_init();

    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, size);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, swallow);
    return e;
}

int main(int argc, char **argv)
{
    static char body[1 << 20];
    struct curl_slist *headers = NULL;
    long left, running = 0, done = 0, failed = 0;
    double began;
    CURLM *multi;
    FILE *f;

    if (argc != 5 || (f = fopen(argv[2], "rb")) == NULL) {
        fprintf(stderr, "usage: bench_curl URL BODY_FILE REQUESTS CONCURRENCY\n");
        return 2;
    }
    long size = (long)fread(body, 1, sizeof(body), f);
    fclose(f);
    left = strtol(argv[3], NULL, 10);
    long most = strtol(argv[4], NULL, 10);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MOST);
    headers = curl_slist_append(headers, "Content-Type: application/json; charset=utf-8");
    headers = curl_slist_append(headers, "Expect:");
    for (; running < most && running < MOST && left > 0; running++, left--) {
        curl_multi_add_handle(multi, request(argv[1], body, size, headers));
    }
    began = now();
    while (running > 0) {
        CURLMsg *m;
        int still, queued;

        curl_multi_perform(multi, &still);
        while ((m = curl_multi_info_read(multi, &queued)) != NULL) {
            CURL *e = m->easy_handle;

            done++;
            failed += m->data.result != CURLE_OK;
            curl_multi_remove_handle(multi, e);
            if (left > 0) {
                left--;
                curl_multi_add_handle(multi, e);
            } else {
                curl_easy_cleanup(e);
                running--;
            }
        }
        if (running > 0) {
            curl_multi_poll(multi, NULL, 0, 100, NULL);
        }
    }
    printf("%.0f\n", (double)done / (now() - began));
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    return failed > 0 ? 1 : 0;
}
