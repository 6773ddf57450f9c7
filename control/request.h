/*
 * What a handler of control gets and gives. A handler answers one operation (control/dispatch.h); it runs in a worker
 * thread, which has a connection to the webhooks' store of its own. The acceptor has checked the key and its scope: the
 * handler checks everything else. It answers exactly once, by one of the answer functions, or leaves the reply open for
 * control/test_waits.h.
 */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "api/operations.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/span.h"
#include "config/config.h"
#include "control/object_id.h"
#include "shm/segment.h"

struct db;
struct db_env;
struct key_loader;
struct secrets;
struct stream;
struct streams;
struct test_waits;

/* What all threads share; nothing changes it while they run. Everything is borrowed. */
struct control_context {
	const struct config *config; /* with the secrets of the API */
	const struct segment *segment;
	struct process_slot *slot; /* of this process */
	const struct db_env *env; /* of connections to the webhooks' store */
	const struct secrets *secrets; /* api/secrets.h */
	struct key_loader *keys; /* for handlers that change keys: control/key_loader.h */
	struct streams *streams; /* control/streams.h; NULL without an API */
	struct test_waits *tests; /* control/test_waits.h; set by workers_start() */
};

/* Who asks: what the acceptor found in the key table. The texts are never NULL; a key without a name has "". */
struct caller {
	const char *tenant_id;
	const char *key_id;
	const char *key_name;
	uint32_t scopes; /* api/scopes.h */
	bool is_start_key; /* of the configuration, not of the store */
};

/* Everything is borrowed for the time of the handler. The texts are UTF-8 without NUL, but for the body: any bytes. */
struct request {
	enum api_operation operation;
	struct span params[2]; /* of the path, decoded; followed by a NUL. base is NULL for those that it has not */
	struct span query; /* as it was sent: control/query.h reads it */
	struct span body; /* empty: none was sent */
	struct span if_match, idempotency_key, last_event_id; /* base is NULL: not given */
	const char *base_url; /* what URLs in replies begin with: "https://hooks.example", no slash at the end */
	struct caller caller;
	int64_t deadline_us; /* steady clock: db_set_deadline() has been called with it */
	struct db *db;
	const struct control_context *context;
};

/* The longest list that a handler may answer with, in bytes of JSON: a page ends there, whatever its limit. */
#define REPLY_PAGE_BYTES (4u << 20)

#define REPLY_ETAG_BYTES 40

/* Made empty by the worker, which frees it. */
struct reply {
	int status; /* 0: not answered yet */
	struct bytes body; /* JSON; empty for 204 */
	struct stream *stream; /* of 200: what comes instead of a body; the reply's until stream_leave(). NULL: none */
	char etag[REPLY_ETAG_BYTES]; /* "": none. reply_set_version() */
	uint32_t retry_after_seconds; /* 0: none */
	bool store_lost; /* the connection is of no use any more: the worker opens another */
	struct error store_error; /* then: why */
	int64_t open_until_us; /* with status 0: it waits so long for the end of a test, by the steady clock */
	char attempt_id[OBJECT_ID_BYTES]; /* of that test */
};

/* Makes an answered reply empty again: something else is to be answered. */
void reply_reset(struct reply *reply);

typedef void request_handler(const struct request *request, struct reply *reply);

/* Takes the tree. */
void answer_json(struct reply *reply, int status, cJSON *tree);

/* 204. */
void answer_nothing(struct reply *reply);

/* {"error":code,"detail":text,"message":text}: text is a sentence for a person. */
void answer_error(struct reply *reply, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* 403 for a caller who lacks that scope: as answer_error() with "required_scope". */
void answer_forbidden(struct reply *reply, const char *required_scope, const char *text);

/*
 * For what a function of store/db.h has returned and the handler does not expect: 503 store_unavailable with
 * Retry-After, and a line in the log. rc is <0, or one of enum db_condition.
 */
void answer_store_failed(struct reply *reply, int rc, const struct error *err);

/* Whether the body is empty, or an object without members. If not, the reply says so (400). */
bool request_has_no_members(const struct request *request, struct reply *reply);

/* The version of the object that the reply shows, which becomes its ETag: "7" with the quotes. */
void reply_set_version(struct reply *reply, int64_t version);

/*
 * Whether the request may change an object of that version: it has no If-Match, or one that names the version or is *.
 * If not, the reply is 412 precondition_failed.
 */
bool request_matches_version(const struct request *request, int64_t version, struct reply *reply);

#endif
