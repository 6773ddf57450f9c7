/* A handler's change: one transaction with its audit row, committed or rolled back. Worker threads. */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/error.h"
#include "control/request.h"

/*
 * The body of the transaction. It answers into the reply and returns 0: an answer below 400 is committed, others are
 * rolled back. Or it returns the failure of a store function, without an answer. After a conflict with another session
 * it is called again, with an empty reply. context is the handler's.
 */
typedef int change_body(const struct request *request, void *context, struct reply *reply, struct error *err);

/*
 * Runs the body in a transaction in which the caller's tenant cannot be deleted. true: it is committed, and the reply
 * is the body's. false: it is rolled back, or the commit is in doubt; the reply says why (the body's answer from 400
 * on, or 503).
 */
bool change_run(const struct request *request, change_body *body, void *context, struct reply *reply);

/* An action on an object, for the audit log. */
struct change {
	const char *action; /* "endpoint.update" */
	const char *object_kind; /* "endpoint" */
	const char *object_id;
	const char *tenant_id; /* the object's tenant */
};

/*
 * Adds an audit row for the request's caller, in the transaction. before and after are the object without secrets;
 * NULL: it did not exist before, or is gone afterwards. Returns as db_query().
 */
int change_audit(const struct request *request, const struct change *change, const cJSON *before, const cJSON *after,
    struct error *err);

/* Ends a DELETE, in its transaction: audits the removal, frees `before`, and answers 204. Returns as db_query(). */
int change_removed(
    const struct request *request, const struct change *change, cJSON *before, struct reply *reply, struct error *err);

#endif
