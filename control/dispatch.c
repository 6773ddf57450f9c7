/* The table of handlers, and checks common to all of them. */
#include "control/dispatch.h"

#include <assert.h>

#include "control/admin_stats.h"
#include "control/api_keys.h"
#include "control/audit.h"
#include "control/compaction.h"
#include "control/dead_letters.h"
#include "control/deliveries.h"
#include "control/endpoint_tests.h"
#include "control/endpoints.h"
#include "control/event_deletion.h"
#include "control/events.h"
#include "control/hook_stream_open.h"
#include "control/inbox.h"
#include "control/job_changes.h"
#include "control/jobs.h"
#include "control/key_rotation.h"
#include "control/pauses.h"
#include "control/query.h"
#include "control/requeue.h"
#include "control/replays.h"
#include "control/secret_rotation.h"
#include "control/stream_open.h"
#include "control/subscription_test.h"
#include "control/subscriptions.h"
#include "control/tenant_creation.h"
#include "control/tenants.h"

static request_handler *const handlers[API_OPERATIONS] = {
    [OPERATION_ENDPOINT_CREATE] = endpoint_create,
    [OPERATION_ENDPOINT_LIST] = endpoint_list,
    [OPERATION_ENDPOINT_GET] = endpoint_get,
    [OPERATION_ENDPOINT_UPDATE] = endpoint_update,
    [OPERATION_ENDPOINT_DELETE] = endpoint_delete,
    [OPERATION_ENDPOINT_ROTATE_SECRET] = endpoint_rotate_secret,
    [OPERATION_ENDPOINT_RETRY] = endpoint_make_due,
    [OPERATION_ENDPOINT_TEST] = endpoint_test,
    [OPERATION_SUBSCRIPTION_CREATE] = subscription_create,
    [OPERATION_SUBSCRIPTION_LIST] = subscription_list,
    [OPERATION_SUBSCRIPTION_GET] = subscription_get,
    [OPERATION_SUBSCRIPTION_UPDATE] = subscription_update,
    [OPERATION_SUBSCRIPTION_DELETE] = subscription_delete,
    [OPERATION_SUBSCRIPTION_TEST] = subscription_test,
    [OPERATION_EVENT_LIST] = event_list,
    [OPERATION_EVENT_DELETE_MANY] = event_delete_many,
    [OPERATION_EVENT_GET] = event_get,
    [OPERATION_STREAM] = stream_open,
    [OPERATION_HOOK_EVENT_STREAM] = hook_stream_open,
    [OPERATION_DELIVERY_LIST] = delivery_list,
    [OPERATION_DELIVERY_GET] = delivery_get,
    [OPERATION_JOB_LIST] = job_list,
    [OPERATION_JOB_GET] = job_get,
    [OPERATION_JOB_RETRY] = job_make_due,
    [OPERATION_JOB_CANCEL] = job_delete,
    [OPERATION_DEAD_LETTER_LIST] = dead_letter_list,
    [OPERATION_DEAD_LETTER_GET] = dead_letter_get,
    [OPERATION_DEAD_LETTER_DELETE] = dead_letter_delete,
    [OPERATION_DEAD_LETTER_REQUEUE] = dead_letter_requeue,
    [OPERATION_DEAD_LETTER_REQUEUE_MANY] = dead_letter_requeue_many,
    [OPERATION_REPLAY_CREATE] = replay_create,
    [OPERATION_REPLAY_LIST] = replay_list,
    [OPERATION_REPLAY_GET] = replay_get,
    [OPERATION_REPLAY_CANCEL] = replay_cancel,
    [OPERATION_INBOX_CREATE] = inbox_create,
    [OPERATION_INBOX_LIST] = inbox_list,
    [OPERATION_INBOX_MESSAGE_LIST] = inbox_list,
    [OPERATION_INBOX_MESSAGE_GET] = inbox_get,
    [OPERATION_INBOX_RECEIVE] = inbox_receive,
    [OPERATION_TENANT_CREATE] = tenant_create,
    [OPERATION_TENANT_LIST] = tenant_list,
    [OPERATION_TENANT_GET] = tenant_get,
    [OPERATION_TENANT_UPDATE] = tenant_update,
    [OPERATION_TENANT_DELETE] = tenant_delete,
    [OPERATION_TENANT_STATS] = tenant_stats,
    [OPERATION_TENANT_ROTATE_KEY] = key_rotate,
    [OPERATION_TENANT_KEY_CREATE] = key_create,
    [OPERATION_TENANT_KEY_LIST] = key_list,
    [OPERATION_TENANT_KEY_REVOKE] = key_revoke,
    [OPERATION_KEY_CREATE] = key_create,
    [OPERATION_KEY_LIST] = key_list,
    [OPERATION_KEY_GET] = key_get,
    [OPERATION_KEY_UPDATE] = key_update,
    [OPERATION_KEY_REVOKE] = key_revoke,
    [OPERATION_ADMIN_ROTATE_SECRETS] = secrets_rotate,
    [OPERATION_ADMIN_COMPACT] = compact,
    [OPERATION_ADMIN_STATS] = admin_stats,
    [OPERATION_ADMIN_PAUSE] = deliveries_pause,
    [OPERATION_ADMIN_RESUME] = deliveries_resume,
    [OPERATION_AUDIT_LIST] = audit_show,
};

void
dispatch(const struct request *request, struct reply *reply)
{
	char text[160];

	assert(handlers[request->operation] != NULL);
	if (!query_is_readable(request->query, text, sizeof text))
		answer_error(reply, 400, "validation_error", "%s", text);
	else
		handlers[request->operation](request, reply);
	assert(reply->status != 0 || reply->open_until_us != 0);
}
