/*
 * The request and the reply of a handler of control. A handler answers one operation (control/dispatch.h); it runs in a
 * worker thread, which has its own connection to the webhooks' store. The handler of streams needs no store, and runs
 * in the loop's thread. The acceptor has checked the key and its scope; the handler checks everything else. It answers
 * exactly once, by one of the answer functions, or leaves the reply open for control/test_waits.h.
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

/* Shared by all threads; constant while they run. Everything is borrowed. */
struct control_context {
	const struct config *config; /* includes the secrets of the API */
	const struct segment *segment;
	struct process_slot *slot; /* of this process */
	const struct db_env *env; /* for connections to the webhooks' store */
	const struct secrets *secrets; /* api/secrets.h */
	struct key_loader *keys; /* for handlers that change keys: control/key_loader.h */
	struct streams *streams; /* control/streams.h; NULL without an API */
	struct streams *hook_streams; /* of hook events; NULL where none are served */
	struct test_waits *tests; /* control/test_waits.h; set by workers_start() */
};

/* The caller, as the acceptor found it in the key table. The texts are never NULL; a key without a name has "". */
struct caller {
	const char *tenant_id;
	const char *key_id;
	const char *key_name;
	uint32_t scopes; /* api/scopes.h */
	bool is_start_key; /* the key is from the configuration, not from the store */
};

/* Everything is borrowed while the handler runs. Texts are UTF-8 without NUL; the body may be any bytes. */
struct request {
	enum api_operation operation;
	struct span params[2]; /* of the path, decoded, with a NUL; base NULL: the path has none */
	struct span query; /* as it was sent: control/query.h reads it */
	struct span body; /* empty: none was sent */
	struct span if_match, idempotency_key, last_event_id; /* base is NULL: not given */
	const char *base_url; /* prefix of URLs in replies: "https://hooks.example", without a final slash */
	struct caller caller;
	int64_t deadline_us; /* steady clock; db_set_deadline() was called with it */
	struct db *db; /* NULL for the operation of streams */
	const struct control_context *context;
};

/* The longest list in a reply, in bytes of JSON: a page ends there, whatever its limit. */
#define REPLY_PAGE_BYTES (4u << 20)

#define REPLY_ETAG_BYTES 40

/* The worker initialises and frees it. */
struct reply {
	int status; /* 0: not answered yet */
	struct bytes body; /* JSON; empty for 204 */
	struct stream *stream; /* of 200: replaces the body; owned until stream_leave(). NULL: none */
	char etag[REPLY_ETAG_BYTES]; /* "": none. reply_set_version() */
	uint32_t retry_after_seconds; /* 0: none */
	bool store_lost; /* the connection is useless: the worker opens another */
	struct error store_error; /* why, if store_lost */
	int64_t open_until_us; /* with status 0: waits for the end of a test until then (steady) */
	char attempt_id[OBJECT_ID_BYTES]; /* the test's attempt */
};

/* Resets an answered reply, for another answer. */
void reply_reset(struct reply *reply);

typedef void request_handler(const struct request *request, struct reply *reply);

/* Takes ownership of the tree. */
void answer_json(struct reply *reply, int status, cJSON *tree);

/* 204. */
void answer_nothing(struct reply *reply);

/* {"error":code,"detail":text,"message":text}: text is a sentence for a person. */
void answer_error(struct reply *reply, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* 403 for a caller without that scope: as answer_error(), with "required_scope". */
void answer_forbidden(struct reply *reply, const char *required_scope, const char *text);

/*
 * Answers 503 store_unavailable with Retry-After, and logs it, after a result of store/db.h that the handler does not
 * expect. rc is <0, or one of enum db_condition.
 */
void answer_store_failed(struct reply *reply, int rc, const struct error *err);

/* Whether the body is empty, or an object without members. If not, the reply says so (400). */
bool request_has_no_members(const struct request *request, struct reply *reply);

/* Sets the ETag to the version of the object in the reply: "7", with the quotes. */
void reply_set_version(struct reply *reply, int64_t version);

/*
 * Whether the request may change an object of that version: it has no If-Match, or one with the version or *. If not,
 * the reply is 412 precondition_failed.
 */
bool request_matches_version(const struct request *request, int64_t version, struct reply *reply);

#endif
