/* A change that a handler makes: one transaction with its audit row, committed or without a trace. Worker threads. */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/error.h"
#include "control/request.h"

/*
 * What is done in the transaction. It answers (into the reply) and returns 0: an answer below 400 is committed, another
 * is rolled back. Or it returns what a function of the store returned, without an answer. It may be called again, with
 * an empty reply, when another session was in the way. context is the handler's.
 */
typedef int change_body(const struct request *request, void *context, struct reply *reply, struct error *err);

/*
 * Runs the body in a transaction, in which the caller's tenant is not deleted. true: it is committed, and the reply
 * says so. false: nothing of it holds, or the commit is in doubt; the reply says why (an answer of the body from 400
 * on, or 503).
 */
bool change_run(const struct request *request, change_body *body, void *context, struct reply *reply);

/* What was done to which object. */
struct change {
	const char *action; /* "endpoint.update" */
	const char *object_kind; /* "endpoint" */
	const char *object_id;
	const char *tenant_id; /* whose object it is */
};

/*
 * Adds the audit row of the request's caller, in the transaction. before and after are the object without secrets;
 * NULL: it was not there, or is not there any more. Returns as db_query().
 */
int change_audit(const struct request *request, const struct change *change, const cJSON *before, const cJSON *after,
    struct error *err);

/*
 * The end of a DELETE, in its transaction: audits that the object, which it frees, is there no more, and answers 204.
 * Returns as db_query().
 */
int change_removed(
    const struct request *request, const struct change *change, cJSON *before, struct reply *reply, struct error *err);

#endif
