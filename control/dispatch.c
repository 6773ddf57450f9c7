/* The table of handlers, and what is checked for all of them. */
#include "control/dispatch.h"

#include <assert.h>

#include "control/endpoints.h"
#include "control/query.h"
#include "control/subscriptions.h"

static request_handler *const handlers[API_OPERATIONS] = {
    [OPERATION_ENDPOINT_CREATE] = endpoint_create,
    [OPERATION_ENDPOINT_LIST] = endpoint_list,
    [OPERATION_ENDPOINT_GET] = endpoint_get,
    [OPERATION_ENDPOINT_UPDATE] = endpoint_update,
    [OPERATION_ENDPOINT_DELETE] = endpoint_delete,
    [OPERATION_ENDPOINT_ROTATE_SECRET] = endpoint_rotate_secret,
    [OPERATION_SUBSCRIPTION_CREATE] = subscription_create,
    [OPERATION_SUBSCRIPTION_LIST] = subscription_list,
    [OPERATION_SUBSCRIPTION_GET] = subscription_get,
    [OPERATION_SUBSCRIPTION_UPDATE] = subscription_update,
    [OPERATION_SUBSCRIPTION_DELETE] = subscription_delete,
};

void
dispatch(const struct request *request, struct reply *reply)
{
	const struct api_operation_info *info = &api_operation_table[request->operation];
	char text[160];

	if (!query_is_readable(request->query, text, sizeof text))
		answer_error(reply, 400, "validation_error", "%s", text);
	else if (handlers[request->operation] == NULL)
		answer_error(reply, 501, "not_implemented", "%s %s is not there yet", info->method, info->path);
	else
		handlers[request->operation](request, reply);
	assert(reply->status != 0);
}
