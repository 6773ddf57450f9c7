/*
 * One attempt by libcurl: a reusable easy handle with its data. http.c decides when to act, transfer.c what to send.
 * The loop's thread alone calls these functions.
 */
#ifndef COURIER_TRANSFER_H
#define COURIER_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "api/target_url.h"
#include "config/config.h"
#include "config/networks.h"
#include "courier/attempt.h"
#include "courier/body.h"
#include "courier/certificate.h"
#include "courier/response.h"
#include "courier/request.h"
#include "courier/resolver.h"

/* Data common to all transfers of a process. */
struct transfer_env {
	const struct config *config;
	struct networks allowed;
	struct body_maker *maker;
	const char *ca_file; /* SSL_CERT_FILE; NULL: libcurl's own default */
	bool watches_certificates;
	char listener[300]; /* the service's own listener, as the beginning of a URL */
};

/*
 * The next step. LOOK_UP: needs an answer for url.host. READY: call transfer_prepare(). ENDED: call
 * transfer_result().
 */
enum transfer_step { TRANSFER_LOOK_UP, TRANSFER_READY, TRANSFER_ENDED };

struct transfer {
	struct transfer *next, **link; /* in one of http.c's lists */
	const struct transfer_env *env;
	CURL *easy;
	struct attempt_spec spec;
	uint8_t attempt_id[16];
	struct target_url url;
	bool inbox; /* the URL is the service's own inbox */
	int64_t started_us; /* wall clock */
	int64_t begun_us, resolved_us; /* steady clock; 0: not yet */
	int64_t wait_until_us; /* wait for an address until then; used by http.c */
	struct bytes body, resolve;
	struct curl_slist resolve_line;
	struct request request;
	struct response reply;
	struct certificate_note note;
	char detail[CURL_ERROR_SIZE]; /* libcurl's words */
	int no_socket; /* errno of socket(2) */
	uint8_t repeats; /* repeats on a new connection */
	int64_t body_bytes; /* of the request given to libcurl */
	int64_t prepared_us; /* steady clock, when libcurl got the request; 0: not yet */
	enum attempt_end end; /* if it ended before libcurl had it, or by the guard */
	char error[ATTEMPT_ERROR_MAX]; /* the same; "": otherwise */
};

/* env is borrowed. Never NULL. */
struct transfer *transfer_new(const struct transfer_env *env);
void transfer_free(struct transfer *transfer);

/* Begins the attempt, of which spec is copied. */
enum transfer_step transfer_begin(
    struct transfer *transfer, const struct attempt_spec *spec, const uint8_t attempt_id[16]);

/* Takes the addresses of url.host: READY or ENDED. */
enum transfer_step transfer_resolved(struct transfer *transfer, const struct resolver_answer *answer);

/* Sets the end of a transfer that libcurl does not have: transfer_result() reports it. */
void transfer_end(struct transfer *transfer, enum attempt_end end, const char *error);

/* Makes body and headers, and sets up the easy handle. */
void transfer_prepare(struct transfer *transfer);

/*
 * Whether to repeat the request on a new connection after libcurl's code; at most three times. It is repeated if no
 * byte of a reply came and one of these is true: the receiver cannot have got the whole request, for instance because
 * it refuses a body unread and resets the connection; its GOAWAY says that it does not process the request; it closed a
 * reused connection (libcurl tries five of them, which may all be closed). A request that may have been processed is
 * not repeated.
 */
bool transfer_repeat(struct transfer *transfer, CURLcode code);

/* Fills in the result. code: libcurl's; CURLE_OK also if libcurl has not had the transfer. */
void transfer_result(struct transfer *transfer, CURLcode code, struct attempt_result *result);

/* Wipes the attempt's data. */
void transfer_clear(struct transfer *transfer);

#endif
