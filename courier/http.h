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

/*
 * http_run() goes on with the attempts, and calls done() for those that have ended. It has something to do when the
 * descriptor is readable, and from http_due_us() on, by the steady clock, which is at once after http_begin();
 * INT64_MAX: at no time.
 */
void http_run(struct http *http);
int http_fd(const struct http *http);
int64_t http_due_us(const struct http *http);

/*
 * Ends the attempt with that order's context, which is under way: as ATTEMPT_OURS, unless a reply's head was complete.
 * Calls done() for it.
 */
void http_cut(struct http *http, const void *order_context);

/*
 * For the end of a drain: ends all attempts that were begun before, as ATTEMPT_OURS unless a reply's head was complete,
 * and calls done() for them.
 */
void http_cancel(struct http *http);

/* Nothing may be in flight. */
void http_close(struct http *http);

#endif
