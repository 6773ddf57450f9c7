/* The tables. Words and options are those of the original's command line, if it has them. */
#include "cli/api_verbs.h"

#include <string.h>

#define NAMES                                                                                                          \
	{"name", API_TEXT, "name", "for people"}, {"description", API_TEXT, "description", "for people"},              \
	{                                                                                                              \
		"metadata", API_JSON, "metadata", "an object that is kept and returned"                                \
	}
#define PAGES                                                                                                          \
	{"limit", API_QUERY, "limit", "at most so many"}, {"cursor", API_QUERY, "cursor", "where a page begins"},      \
	{                                                                                                              \
		"order", API_QUERY, "order", "asc or desc"                                                             \
	}
#define END                                                                                                            \
	{                                                                                                              \
		0                                                                                                      \
	}

static const struct api_option list_options[] = {PAGES, END};

static const struct api_option endpoint_options[] = {
    {"url", API_TEXT, "url", "where events are posted to"},
    {"secret", API_TEXT, "secret", "that signs deliveries; left out: made, and shown"},
    NAMES,
    {"header", API_HEADER, "headers", "sent with each delivery; may be given many times"},
    {"enabled", API_BOOL, "enabled", "whether events become jobs that are sent"},
    {"paused", API_BOOL, "paused", "whether jobs wait"},
    {"timeout-ms", API_NUMBER, "timeout_ms", "longest time for a delivery"},
    {"max-in-flight", API_NUMBER, "max_in_flight", "deliveries at the same time"},
    {"rate-limit-rps", API_NUMBER, "rate_limit_rps", "deliveries in a second"},
    {"exact-limits", API_BOOL, "exact_limits", "limits hold over all nodes, by one of them"},
    {"fifo", API_BOOL, "fifo", "deliveries in the order of events"},
    {"ordering", API_TEXT, "ordering", "endpoint or key"},
    {"on-dead", API_TEXT, "on_dead", "continue or block"},
    {"fail-fast", API_BOOL, "fail_fast", "answers that will not change end a job at once"},
    {"retry-schedule", API_TEXT, "retry_schedule", "waits, like 5s,30s,5m"},
    {"max-attempts", API_NUMBER, "max_attempts", "attempts for a job"},
    {"keep-response", API_BOOL, "keep_response", "keep the beginning of replies"},
    {"body", API_TEXT, "body", "envelope, event or payload"},
    {"legacy-headers", API_BOOL, "legacy_headers", "also send x-gp-signature"},
    END,
};

static const struct api_option rotate_secret_options[] = {
    {"secret", API_TEXT, "secret", "the new one; left out: made, and shown"},
    {"overlap-seconds", API_NUMBER, "overlap_seconds", "how long the old one also signs"},
    END,
};

static const struct api_option test_options[] = {
    {"topic", API_TEXT, "topic", "of the event; hookline.test unless given"},
    {"payload", API_JSON, "payload", "of the event, any JSON"},
    END,
};

/* name: the verb. */
#define TEST(name)                                                                                                     \
	{                                                                                                              \
		name, NULL, "POST", "/v1/endpoints/{id}/test", test_options, NULL, false, NULL,                        \
		    "send it a test event now, and show the result", NULL, true                                        \
	}

static const struct api_verb endpoint_verbs[] = {
    {"add", "create", "POST", "/v1/endpoints", endpoint_options, "url", false, NULL, "make one"},
    {"ls", "list", "GET", "/v1/endpoints", list_options, NULL, true, NULL, "list them"},
    {"get", "show", "GET", "/v1/endpoints/{id}", NULL, NULL, false, NULL, "show one"},
    {"update", "set", "PATCH", "/v1/endpoints/{id}", endpoint_options, NULL, false, NULL, "change one"},
    {"enable", NULL, "PATCH", "/v1/endpoints/{id}", NULL, NULL, false, "{\"enabled\":true}", "send to it again"},
    {"disable", NULL, "PATCH", "/v1/endpoints/{id}", NULL, NULL, false, "{\"enabled\":false}", "send nothing to it"},
    {"retry", NULL, "POST", "/v1/endpoints/{id}/retry", NULL, NULL, false, NULL, "send all that waits for it now"},
    TEST("test"),
    {"rotate-secret", NULL, "POST", "/v1/endpoints/{id}/rotate-secret", rotate_secret_options, NULL, false, NULL,
	"replace its secret"},
    {"rm", "delete", "DELETE", "/v1/endpoints/{id}", NULL, NULL, false, NULL, "remove one, with its subscriptions"},
    END,
};

static const struct api_option subscription_options[] = {
    {"endpoint", API_TEXT, "endpoint_id", "where matching events go"},
    {"endpoint-id", API_TEXT, "endpoint_id", "the same"},
    {"topic", API_TEXT, "topic_pattern", "pattern: * is one segment, # any number of them"},
    {"topic-pattern", API_TEXT, "topic_pattern", "the same"},
    {"filter", API_JSON, "filter", "which events, by their content"},
    {"transform", API_JSON, "transform", "what is changed in them"},
    {"enabled", API_BOOL, "enabled", "whether it matches"},
    NAMES,
    END,
};

static const struct api_option subscription_list_options[] = {
    {"endpoint", API_QUERY, "endpoint_id", "those of one endpoint"}, PAGES, END};

static const struct api_option subscription_test_options[] = {
    {"topic", API_TEXT, "topic_pattern", "pattern: * is one segment, # any number of them"},
    {"filter", API_JSON, "filter", "which events, by their content"},
    {"event", API_JSON, "event", "an event, with its topic"},
    END,
};

static const struct api_verb subscription_verbs[] = {
    {"add", "create", "POST", "/v1/subscriptions", subscription_options, NULL, false, NULL, "make one"},
    {"ls", "list", "GET", "/v1/subscriptions", subscription_list_options, NULL, true, NULL, "list them"},
    {"get", "show", "GET", "/v1/subscriptions/{id}", NULL, NULL, false, NULL, "show one"},
    {"update", "set", "PATCH", "/v1/subscriptions/{id}", subscription_options, NULL, false, NULL, "change one"},
    {"try", NULL, "POST", "/v1/subscriptions/test", subscription_test_options, NULL, false, NULL,
	"test whether a pattern and a filter match an event"},
    {"rm", "delete", "DELETE", "/v1/subscriptions/{id}", NULL, NULL, false, NULL, "remove one"},
    END,
};

static const struct api_option tenant_options[] = {
    {"id", API_TEXT, "id", "its id; made when it is left out"},
    {"name", API_TEXT, "name", "for people"},
    {"metadata", API_JSON, "metadata", "an object that is kept and returned"},
    {"idempotency-key", API_IDEMPOTENCY, NULL, "sent again with it, one is made, its key shown once"},
    END,
};

static const struct api_option tenant_update_options[] = {
    {"name", API_TEXT, "name", "for people"},
    {"metadata", API_JSON, "metadata", "an object that is kept and returned"},
    END,
};

static const struct api_option rotate_key_options[] = {
    {"key-id", API_TEXT, "key_id", "the key that is replaced"},
    {"overlap-seconds", API_NUMBER, "overlap_seconds", "how long the old one also works"},
    END,
};

static const struct api_verb tenant_verbs[] = {
    {"add", "create", "POST", "/v1/tenants", tenant_options, "id", false, NULL,
	"make one, with a key that is shown once"},
    {"ls", "list", "GET", "/v1/tenants", list_options, NULL, true, NULL, "list them"},
    {"get", "show", "GET", "/v1/tenants/{id}", NULL, NULL, false, NULL, "show one"},
    {"update", "set", "PATCH", "/v1/tenants/{id}", tenant_update_options, NULL, false, NULL, "change one"},
    {"stats", NULL, "GET", "/v1/tenants/{id}/stats", NULL, NULL, false, NULL, "its figures"},
    {"rotate-key", NULL, "POST", "/v1/tenants/{id}/rotate-key", rotate_key_options, NULL, false, NULL,
	"replace one of its keys"},
    {"rm", "delete", "DELETE", "/v1/tenants/{id}", NULL, NULL, false, NULL, "remove one, with everything of it"},
    END,
};

#define KEY_FIELDS                                                                                                     \
	{"name", API_TEXT, "name", "for people"}, {"scopes", API_WORDS, "scopes", "what it may do, like events.*"},    \
	    {"expires-at", API_NUMBER, "expires_at", "in milliseconds since 1970"},                                    \
	    {"events-per-second", API_NUMBER, "events_per_second", "limit"},                                           \
	{                                                                                                              \
		"bytes-per-second", API_NUMBER, "bytes_per_second", "limit"                                            \
	}

static const struct api_option key_options[] = {
    {"tenant", API_TEXT, "tenant_id", "whose it is; yours when it is left out"}, KEY_FIELDS, END};
static const struct api_option key_update_options[] = {KEY_FIELDS, END};
static const struct api_option key_list_options[] = {
    {"tenant", API_QUERY, "tenant_id", "those of another tenant"}, PAGES, END};

static const struct api_verb key_verbs[] = {
    {"add", "create", "POST", "/v1/apikeys", key_options, "name", false, NULL, "make one, which is shown once"},
    {"ls", "list", "GET", "/v1/apikeys", key_list_options, NULL, true, NULL, "list them"},
    {"get", "show", "GET", "/v1/apikeys/{id}", NULL, NULL, false, NULL, "show one, without the key itself"},
    {"update", "set", "PATCH", "/v1/apikeys/{id}", key_update_options, NULL, false, NULL, "change one"},
    {"rm", "revoke", "DELETE", "/v1/apikeys/{id}", NULL, NULL, false, NULL, "revoke one, at once"},
    END,
};

static const struct api_option audit_options[] = {
    {"tenant", API_QUERY, "tenant_id", "of one tenant"},
    {"action", API_QUERY, "action", "like endpoint.update"},
    {"key-id", API_QUERY, "key_id", "what a key did"},
    {"object-id", API_QUERY, "object_id", "what was done to an object"},
    {"from-ms", API_QUERY, "from_ms", "from that time on"},
    {"to-ms", API_QUERY, "to_ms", "up to that time"},
    PAGES,
    END,
};

static const struct api_verb audit_verbs[] = {
    {"ls", "list", "GET", "/v1/admin/audit", audit_options, NULL, true, NULL, "who changed what, newest first"},
    END,
};

static const struct api_option pause_options[] = {
    {"tenant", API_TEXT, "tenant_id", "those of one tenant"}, {"reason", API_TEXT, "reason", "for people"}, END};
static const struct api_option resume_options[] = {{"tenant", API_TEXT, "tenant_id", "those of one tenant"}, END};
static const struct api_option stats_options[] = {{"tenant", API_QUERY, "tenant_id", "of one tenant"},
    {"top", API_QUERY, "top", "also the tenants and endpoints that most waits for"}, END};

#define RESUME                                                                                                         \
	{                                                                                                              \
		"resume", NULL, "POST", "/v1/admin/store/resume-claims", resume_options, NULL, false, NULL,            \
		    "resume paused deliveries"                                                                         \
	}

static const struct api_verb admin_verbs[] = {
    {"stats", NULL, "GET", "/v1/admin/stats", stats_options, NULL, false, NULL, "what waits and is under way"},
    {"pause", NULL, "POST", "/v1/admin/store/pause-claims", pause_options, NULL, false, NULL,
	"pause deliveries; events are accepted, jobs wait"},
    RESUME,
    {"audit", NULL, "GET", "/v1/admin/audit", audit_options, NULL, true, NULL, "who changed what, newest first"},
    {"compact", NULL, "POST", "/v1/admin/compact", NULL, NULL, false, NULL, "remove now what is old"},
    {"rotate-secrets", NULL, "POST", "/v1/admin/rotate-secrets", NULL, NULL, false, NULL,
	"re-encrypt stored secrets with HL_MASTER_KEY"},
    END,
};

#define TIMES                                                                                                          \
	{"from-ms", API_QUERY, "from_ms", "from that time on"},                                                        \
	{                                                                                                              \
		"to-ms", API_QUERY, "to_ms", "up to that time"                                                         \
	}

static const struct api_option publish_options[] = {
    {"topic", API_TEXT, "topic", "segments between dots"},
    {"payload", API_JSON, "payload", "any JSON"},
    {"idempotency-key", API_IDEMPOTENCY, NULL, "sent again with it, an event is published once"},
    {"occurred-at", API_NUMBER, "occurred_at", "in milliseconds since 1970"},
    {"ordering-key", API_TEXT, "ordering_key", "the order that it belongs to"},
    {"target-user-id", API_TEXT, "target_user_id", "the user that it is about"},
    END,
};

static const struct api_option event_list_options[] = {
    {"topic", API_QUERY, "topic", "pattern: * is one segment, # any number of them"},
    {"after-id", API_QUERY, "after_id", "those behind an event"}, TIMES, PAGES, END};

static const struct api_option event_delete_options[] = {{"tenant", API_QUERY, "tenant_id", "those of another tenant"},
    {"topic", API_QUERY, "topic", "pattern: * is one segment, # any number of them"}, TIMES,
    {"after-id", API_QUERY, "after_id", "those behind an event, where the last request stopped"},
    {"confirm", API_QUERY, "confirm", "the id of the tenant, to say that you mean it"}, END};

static const struct api_verb event_verbs[] = {
    {"publish", NULL, "POST", "/v1/events", publish_options, "topic", false, NULL, "publish one"},
    {"ls", "list", "GET", "/v1/events", event_list_options, NULL, true, NULL, "list them, oldest first"},
    {"get", "show", "GET", "/v1/events/{id}", NULL, NULL, false, NULL, "show one"},
    {"rm", "delete", "DELETE", "/v1/events", event_delete_options, NULL, false, NULL,
	"delete matching events and their jobs for good; not spooled ones"},
    END,
};

static const struct api_option delivery_list_options[] = {{"job", API_QUERY, "job_id", "those of a job"},
    {"event", API_QUERY, "event_id", "those of an event"},
    {"endpoint", API_QUERY, "endpoint_id", "those to an endpoint"},
    {"status", API_QUERY, "status", "success or failure"}, TIMES, PAGES, END};

static const struct api_verb delivery_verbs[] = {
    {"ls", "list", "GET", "/v1/deliveries", delivery_list_options, NULL, true, NULL, "list attempts, newest first"},
    {"get", "show", "GET", "/v1/deliveries/{id}", NULL, NULL, false, NULL, "show an attempt"},
    {"tail", NULL, "GET", "/v1/stream?types=deliveries", .is_stream = true, .help = "show attempts as they end"},
    RESUME,
    END,
};

static const struct api_option job_list_options[] = {{"endpoint", API_QUERY, "endpoint_id", "those of an endpoint"},
    {"event", API_QUERY, "event_id", "those of an event"}, {"status", API_QUERY, "status", "pending or held"}, PAGES,
    END};

static const struct api_verb job_verbs[] = {
    {"ls", "list", "GET", "/v1/jobs", job_list_options, NULL, true, NULL, "list what waits, newest first"},
    {"get", "show", "GET", "/v1/jobs/{id}", NULL, NULL, false, NULL, "show one, and why it waits"},
    {"retry", NULL, "POST", "/v1/jobs/{id}/retry", NULL, NULL, false, NULL, "send one now"},
    {"cancel", "rm", "DELETE", "/v1/jobs/{id}", NULL, NULL, false, NULL, "cancel one: it is not sent any more"},
    END,
};

static const struct api_option dead_letter_list_options[] = {
    {"endpoint", API_QUERY, "endpoint_id", "those of an endpoint"}, {"reason", API_QUERY, "reason", "like http_410"},
    {"topic", API_QUERY, "topic", "pattern of topics"}, TIMES, PAGES, END};

static const struct api_option requeue_options[] = {
    {"endpoint", API_TEXT, "endpoint_id", "those of an endpoint"},
    {"reason", API_TEXT, "reason", "like http_403"},
    {"topic", API_TEXT, "topic", "pattern of topics; # is each"},
    {"from-ms", API_NUMBER, "from_ms", "from that time on"},
    {"to-ms", API_NUMBER, "to_ms", "up to that time"},
    {"limit", API_NUMBER, "limit", "at most so many"},
    {"dry-run", API_BOOL, "dry_run", "only count them"},
    END,
};

static const struct api_verb dead_letter_verbs[] = {
    {"ls", "list", "GET", "/v1/dlq", dead_letter_list_options, NULL, true, NULL, "list them, newest first"},
    {"get", "show", "GET", "/v1/dlq/{id}", NULL, NULL, false, NULL, "show one with its event"},
    {"requeue", NULL, "POST", "/v1/dlq/{id}/requeue", requeue_options, NULL, false, NULL,
	"deliver one again, or all that match the options", "/v1/dlq/requeue"},
    {"rm", "delete", "DELETE", "/v1/dlq/{id}", NULL, NULL, false, NULL, "remove one for good"},
    END,
};

static const struct api_option replay_options[] = {
    {"from", API_NUMBER, "from_ms", "events from that time on, in milliseconds since 1970"},
    {"from-ms", API_NUMBER, "from_ms", "the same"},
    {"to", API_NUMBER, "to_ms", "events up to that time"},
    {"to-ms", API_NUMBER, "to_ms", "the same"},
    {"topic", API_TEXT, "topic", "pattern: * is one segment, # any number of them"},
    {"endpoint", API_TEXT, "endpoint_id", "to that endpoint alone"},
    {"event-ids", API_WORDS, "event_ids", "a list of events"},
    {"mode", API_TEXT, "mode", "all, or failed_only: not delivered"},
    {"limit", API_NUMBER, "limit", "events at most; of a range 100"},
    {"rate", API_NUMBER, "rate", "events a second at most"},
    {"dry-run", API_BOOL, "dry_run", "only tell what would be sent"},
    {"idempotency-key", API_IDEMPOTENCY, NULL, "asked for again with it, the first one is shown"},
    END,
};

static const struct api_verb replay_verbs[] = {
    {"start", "create", "POST", "/v1/replay", replay_options, "event_id", false, NULL,
	"send events again; start may be left out"},
    {"ls", "list", "GET", "/v1/replay", list_options, NULL, true, NULL, "list replays, newest first"},
    {"get", "show", "GET", "/v1/replay/{id}", NULL, NULL, false, NULL, "show how far one is"},
    {"cancel", "rm", "DELETE", "/v1/replay/{id}", NULL, NULL, false, NULL, "end one; jobs that it has made stay"},
    END,
};

static const struct api_option inbox_options[] = {
    {"topic", API_TEXT, "topic_pattern", "of events: * is one segment, # any number"}, END};

static const struct api_option inbox_list_options[] = {
    {"token", API_QUERY, "token", "of one alone: what create has shown"}, PAGES, END};

static const struct api_verb inbox_verbs[] = {
    {"create", "add", "POST", "/v1/dev/inbox", inbox_options, NULL, false, NULL, "make one, with its URL and token"},
    {"messages", "ls", "GET", "/v1/dev/inbox/messages", inbox_list_options, NULL, true, NULL,
	"list received messages, oldest first"},
    END,
};

static const struct api_verb test_verbs[] = {TEST("send"), END};

static const char *const event_columns[] = {"id", "topic", "created_at", "job_count", NULL};
static const char *const delivery_columns[] = {
    "started_at", "id", "endpoint_id", "attempt_n", "status", "http_status", "duration_ms", NULL};
static const char *const job_columns[] = {
    "id", "endpoint_id", "status", "attempt_count", "next_attempt_at", "last_error", NULL};
static const char *const dead_letter_columns[] = {
    "id", "created_at", "endpoint_id", "topic", "reason", "attempt_count", NULL};
static const char *const replay_columns[] = {
    "id", "created_at", "status", "matched", "replayed", "scheduled", "skipped", NULL};
static const char *const inbox_columns[] = {"received_at", "id", "body", NULL};
static const char *const endpoint_columns[] = {
    "id", "url", "enabled", "state", "disabled_reason", "failing_since", "last_success_at", "name", "created_at", NULL};
static const char *const subscription_columns[] = {
    "id", "endpoint_id", "topic_pattern", "enabled", "name", "created_at", NULL};
static const char *const tenant_columns[] = {"id", "name", "status", "api_key_count", "created_at", NULL};
static const struct api_option stream_options[] = {
    {"topic", API_QUERY, "topic", "a pattern of topics; deliveries have deliveries.status [#]"},
    {"types", API_QUERY, "types", "events or deliveries [both]"},
    {"from", API_QUERY, "last_event_id", "go on behind this: the id of a frame or of an event [now]"}, END};
static const struct api_option hook_stream_options[] = {
    {"type", API_QUERY, "type", "only those of a type; A,B: of several"},
    {"session", API_QUERY, "session", "only those of a session"},
    {"from", API_QUERY, "last_event_id", "go on behind this: the id of a frame [now]"}, END};
static const struct api_verb stream_verbs[] = {
    {"follow", NULL, "GET", "/v1/stream", stream_options, .is_stream = true,
	.help = "shows what comes until it is stopped, and connects again when the service is restarted"},
    {"hooks", NULL, "GET", "/events/stream", hook_stream_options, .is_stream = true,
	.help = "the same of hook events, as they are stored"},
    END,
};

static const char *const key_columns[] = {"id", "tenant_id", "prefix", "name", "scopes", "expires_at", NULL};
static const char *const audit_columns[] = {"created_at", "tenant_id", "key_id", "action", "object_id", NULL};

const struct api_group api_groups[] = {
    {"stream", "tail", "events and deliveries as they come", stream_verbs, event_columns, false, true},
    {"endpoints", NULL, "the URLs that events are posted to", endpoint_verbs, endpoint_columns, false},
    {"subs", "subscriptions", "subscriptions: which events go to which endpoint", subscription_verbs,
	subscription_columns, false},
    {"events", NULL, "what is published", event_verbs, event_columns, false},
    {"deliveries", NULL, "attempts at delivery", delivery_verbs, delivery_columns, false},
    {"jobs", NULL, "what waits to be delivered", job_verbs, job_columns, false},
    {"dlq", NULL, "dead letters: what was given up", dead_letter_verbs, dead_letter_columns, false},
    {"replay", NULL, "events that are sent again", replay_verbs, replay_columns, false, true},
    {"test", NULL, "one event to an endpoint, whatever state it is in", test_verbs, delivery_columns, false, true},
    {"inbox", NULL, "a receiver for trying things out", inbox_verbs, inbox_columns, false},
    {"tenants", NULL, "customers, each with objects of its own", tenant_verbs, tenant_columns, true},
    {"keys", "apikeys", "API keys", key_verbs, key_columns, true},
    {"audit", NULL, "who changed what", audit_verbs, audit_columns, true},
    {"admin", NULL, "the whole installation", admin_verbs, audit_columns, true},
};
const size_t api_group_count = sizeof api_groups / sizeof *api_groups;

const struct api_group *
api_group_find(const char *name)
{
	for (size_t i = 0; i < api_group_count; i++)
		if (strcmp(api_groups[i].name, name) == 0 ||
		    (api_groups[i].second_name != NULL && strcmp(api_groups[i].second_name, name) == 0))
			return &api_groups[i];
	return NULL;
}

const struct api_verb *
api_verb_find(const struct api_group *group, const char *name)
{
	for (const struct api_verb *verb = group->verbs; verb->name != NULL; verb++)
		if (strcmp(verb->name, name) == 0 ||
		    (verb->second_name != NULL && strcmp(verb->second_name, name) == 0))
			return verb;
	return NULL;
}
