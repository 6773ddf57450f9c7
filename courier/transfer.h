/*
 * One attempt as libcurl makes it: an easy handle that is used again and again, with what it borrows. http.c decides
 * when; this decides what. The loop's thread alone calls these functions.
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
#include "courier/answer.h"
#include "courier/request.h"
#include "courier/resolver.h"

/* What all transfers of a process have in common. */
struct transfer_env {
	const struct config *config;
	struct networks allowed;
	struct body_maker *maker;
	const char *ca_file; /* SSL_CERT_FILE; NULL: libcurl's own default */
	bool watches_certificates;
	char listener[300]; /* the service's own, as the beginning of a URL */
};

/* LOOK_UP: an answer for url.host is needed first. READY: transfer_prepare(). ENDED: transfer_result(). */
enum transfer_step { TRANSFER_LOOK_UP, TRANSFER_READY, TRANSFER_ENDED };

struct transfer {
	struct transfer *next, **link; /* of one of http.c's lists */
	const struct transfer_env *env;
	CURL *easy;
	struct attempt_order order;
	uint8_t attempt_id[16];
	struct target_url url;
	bool inbox; /* the URL is one of the service's own */
	int64_t started_us; /* wall clock */
	int64_t begun_us, resolved_us; /* steady clock; 0: not yet */
	int64_t wait_until_us; /* for an address; http.c keeps it */
	struct bytes body, resolve;
	struct curl_slist resolve_line;
	struct request request;
	struct answer reply;
	struct certificate_note note;
	char detail[CURL_ERROR_SIZE]; /* libcurl's words */
	int no_socket; /* errno of socket(2) */
	uint8_t repeats; /* on a new connection */
	int64_t body_bytes; /* of the request that libcurl got */
	int64_t prepared_us; /* steady clock, when libcurl got it; 0: it has not */
	enum attempt_end end; /* of one that ended before, or by the guard */
	char error[ATTEMPT_ERROR_MAX]; /* the same; "": neither */
};

/* env is borrowed. Never NULL. */
struct transfer *transfer_new(const struct transfer_env *env);
void transfer_free(struct transfer *transfer);

/* Takes an order. The steady clock is clock_steady_us(). */
enum transfer_step transfer_begin(
    struct transfer *transfer, const struct attempt_order *order, const uint8_t attempt_id[16]);

/* Takes the addresses of url.host: READY or ENDED. */
enum transfer_step transfer_resolved(struct transfer *transfer, const struct resolver_answer *answer);

/* Ends one that libcurl does not have, or has no more: transfer_result() tells it. */
void transfer_end(struct transfer *transfer, enum attempt_end end, const char *error);

/* Makes body and headers, and gives all to the easy handle. */
void transfer_prepare(struct transfer *transfer);

/*
 * Whether it is to be prepared again, for a connection of its own, after libcurl gave that code; at most three times.
 * It is when no byte of a reply came, and the receiver cannot have got the whole request, as one that refuses a body
 * unread and resets the connection before its reply is read; when its GOAWAY says that it does not process it; or when
 * it closed connections that were kept (libcurl tries five of them, which may all have ended). Another request that may
 * have been processed is not sent again.
 */
bool transfer_repeat(struct transfer *transfer, CURLcode code);

/* What came of it. code: libcurl's; CURLE_OK also when libcurl has not had it. */
void transfer_result(struct transfer *transfer, CURLcode code, struct attempt_result *result);

/* Wipes what the attempt left. */
void transfer_clear(struct transfer *transfer);

#endif
