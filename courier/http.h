/*
 * Attempts: requests to endpoints, many at a time, by libcurl. The loop's thread alone calls these functions; none of
 * them waits. SIGPIPE is ignored in the process.
 *
 * SSL_CERT_FILE, as in OpenSSL, names a file of certificate authorities that replaces the system's.
 */
#ifndef COURIER_HTTP_H
#define COURIER_HTTP_H

#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "courier/attempt.h"

struct http;

/* Called once for each attempt that was begun; the result is valid during the call. It may begin other attempts. */
typedef void attempt_done(void *context, void *attempt_context, const struct attempt_result *result);

/* Makes the client. config is borrowed. 0 or <0. */
int http_open(struct http **http, const struct config *config, attempt_done *done, void *context, struct error *err);

/*
 * Begins an attempt. http_run(), http_cut() or http_cancel() calls done() later, also if the attempt could not begin.
 * Until then the caller must not change what the spec points to.
 */
void http_begin(struct http *http, const struct attempt_spec *spec);

/*
 * http_run() goes on with the attempts, and calls done() for those that have ended. Call it when the descriptor is
 * readable, and at http_due_us() by the steady clock, which is at once after http_begin(); INT64_MAX: not by time.
 */
void http_run(struct http *http);
int http_fd(const struct http *http);
int64_t http_due_us(const struct http *http);

/*
 * Ends the attempt under way whose spec has that context, as ATTEMPT_INTERNAL unless the reply's head was complete.
 * Calls done() for it.
 */
void http_cut(struct http *http, const void *attempt_context);

/*
 * For the end of a drain: ends all attempts, as ATTEMPT_INTERNAL unless a reply's head was complete, and calls done()
 * for each.
 */
void http_cancel(struct http *http);

/* Nothing may be in flight. */
void http_close(struct http *http);

#endif
