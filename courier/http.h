/*
 * Attempts: requests to endpoints, many at a time, by libcurl. The loop's thread alone calls these functions; none of
 * them waits. SIGPIPE is ignored in the process.
 *
 * SSL_CERT_FILE, as OpenSSL has it, names a file of the certificate authorities that are trusted in place of the
 * system's.
 */
#ifndef COURIER_HTTP_H
#define COURIER_HTTP_H

#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/attempt.h"

struct http;

/* Called once for every attempt that was begun; the result is borrowed for the call. It may begin other attempts. */
typedef void attempt_done(void *context, void *order_context, const struct attempt_result *result);

/* Makes the client. config is borrowed. 0 or <0. */
int http_open(struct http **http, const struct config *config, attempt_done *done, void *context, struct error *err);

/*
 * Begins an attempt. done() is called later, by http_run() or http_cancel(), also when it could not be begun; until
 * then what the order names stays as it is.
 */
void http_begin(struct http *http, const struct attempt_order *order);

/* A descriptor that is readable when http_run() has something to do, which calls done() for what has ended. */
int http_fd(const struct http *http);
void http_run(struct http *http);

/* Attempts that were begun and are not done. */
uint32_t http_in_flight(const struct http *http);

/*
 * For the end of a drain: ends all attempts that were begun before, as ATTEMPT_OURS unless a reply's head was complete,
 * and calls done() for them.
 */
void http_cancel(struct http *http);

/* Nothing may be in flight. */
void http_close(struct http *http);

#endif
