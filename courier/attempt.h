/* An attempt: one request to an endpoint, its spec and its result. */
#ifndef COURIER_ATTEMPT_H
#define COURIER_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

struct endpoint_config;
struct record;
struct transform;

#define ATTEMPT_ERROR_MAX 512
#define ATTEMPT_PEER_MAX 64
#define ATTEMPT_RESPONSE_MAX 4096 /* bytes of a reply kept, if the endpoint asks for it */

/* What to send. Everything is borrowed until the attempt is done. */
struct attempt_spec {
	struct endpoint_config *endpoint;
	const struct record *event; /* RECORD_PUBLISHED */
	const struct transform *transform; /* NULL: none */
	uint8_t job_id[16];
	const uint8_t *attempt_id; /* 16 bytes; NULL: one is made */
	uint32_t number; /* from 1 */
	void *context; /* the caller's */
};

/*
 * How it ended. ANSWERED: the reply's head was complete. FAILED: no reply, by the endpoint's fault. GUARD: the guard
 * forbids the address. INTERNAL: no attempt, by the service's own fault: shutdown, no memory. TRANSFORM: the transform
 * cannot be read. UNRESOLVED: no attempt, because no name server answers for the host's name.
 */
enum attempt_end {
	ATTEMPT_ANSWERED,
	ATTEMPT_FAILED,
	ATTEMPT_GUARD,
	ATTEMPT_INTERNAL,
	ATTEMPT_TRANSFORM,
	ATTEMPT_UNRESOLVED
};

/* For FAILED: why there is no reply. REFUSED: nothing accepted the connection. CONNECTION: anything else. */
enum attempt_failure { FAILURE_CONNECTION, FAILURE_TIMEOUT, FAILURE_REFUSED, FAILURE_TLS };

/* What the reply's header webhook-delivery asks for (Svix): disable the endpoint, or give this job up. */
enum reply_directive { DIRECTIVE_NONE, DIRECTIVE_DISABLE, DIRECTIVE_ABORT };

struct attempt_result {
	enum attempt_end end;
	enum reply_directive directive;
	uint8_t attempt_id[16]; /* UUIDv7 */
	int32_t http_status; /* 0: no reply */
	enum attempt_failure failure; /* of FAILED */
	int64_t retry_after_ms; /* of the header, 1000 to 24 h; -1: none, or not readable */
	int64_t started_us; /* wall clock */
	int32_t duration_ms, dns_ms, connect_ms, tls_ms, first_byte_ms; /* -1: not reached */
	char peer[ATTEMPT_PEER_MAX]; /* "203.0.113.7:443"; "": not connected */
	char error[ATTEMPT_ERROR_MAX]; /* "": none. UTF-8 without NUL; names the endpoint's id and host at most */
	char certificate_error[ATTEMPT_ERROR_MAX]; /* "": none */
	char response[ATTEMPT_RESPONSE_MAX + 1]; /* UTF-8 without NUL; "": nothing is kept */
};

#endif
