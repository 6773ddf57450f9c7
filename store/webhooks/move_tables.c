/*
 * Key columns come first. A time that is in a key only because of monthly partitions is left out: the ids are
 * unique.
 */
#include "store/webhooks/move_tables.h"

#include "store/webhooks/pause_rows.h"

/* clang-format off */
#define TEXT(name) {name, DB_TYPE_TEXT, false}
#define JSON(name) {name, DB_TYPE_JSON, false}
#define UUID(name) {name, DB_TYPE_UUID, false}
#define UUIDS(name) {name, DB_TYPE_UUID_ARRAY, false}
#define INT2(name) {name, DB_TYPE_INT2, false}
#define INT4(name) {name, DB_TYPE_INT4, false}
#define INT8(name) {name, DB_TYPE_INT8, false}
#define BOOL(name) {name, DB_TYPE_BOOL, false}
#define TIME(name) {name, DB_TYPE_TIME, false}
#define NODE(name) {name, DB_TYPE_INT4, true}

static const struct move_column tenants[] = {
    TEXT("tenant_id"), TEXT("name"), TEXT("status"), JSON("metadata"), TIME("created_at"), TIME("updated_at"),
    TIME("deleted_at"), TIME("events_from"),
};

static const struct move_column api_keys[] = {
    UUID("key_id"), TEXT("tenant_id"), TEXT("name"), TEXT("prefix"), TEXT("hash"), JSON("scopes"),
    INT4("events_per_second"), INT8("bytes_per_second"), TIME("created_at"), TIME("expires_at"),
    UUID("replaced_by"), TIME("revoked_at"), TIME("last_used_at"), INT8("change_version"),
};

static const struct move_column endpoints[] = {
    TEXT("tenant_id"), UUID("endpoint_id"), INT8("version"), TEXT("url"), TEXT("secret"), TEXT("old_secret"),
    TIME("old_secret_until"), TEXT("headers"), BOOL("enabled"), BOOL("paused"), TEXT("name"),
    TEXT("description"), JSON("metadata"), JSON("extra"), INT4("timeout_ms"), INT4("max_in_flight"),
    INT4("rate_limit_rps"), BOOL("exact_limits"), BOOL("fifo"), TEXT("ordering"), TEXT("on_dead"),
    BOOL("fail_fast"), JSON("retry_schedule"), INT4("max_attempts"), BOOL("keep_response"), TEXT("body"),
    BOOL("legacy_headers"), TEXT("state"), TEXT("disabled_reason"), TIME("failing_since"),
    TIME("last_success_at"), TIME("created_at"), TIME("updated_at"), TIME("deleted_at"), TEXT("breaker"),
    INT8("breaker_version"), TIME("last_failure_at"),
};

static const struct move_column transforms[] = {
    TEXT("tenant_id"), UUID("transform_id"), JSON("steps"), TIME("created_at"),
};

static const struct move_column subscriptions[] = {
    TEXT("tenant_id"), UUID("subscription_id"), UUID("endpoint_id"), INT8("version"), TEXT("topic_pattern"),
    JSON("filter"), UUID("transform_id"), BOOL("enabled"), TEXT("name"), TEXT("description"), JSON("metadata"),
    JSON("extra"), TIME("created_at"), TIME("updated_at"), TIME("deleted_at"),
};

static const struct move_column events[] = {
    TEXT("tenant_id"), UUID("event_id"), TIME("created_at"), TIME("stored_at"), TIME("occurred_at"),
    INT4("job_count"), TEXT("topic"), JSON("payload"), TEXT("idempotency_key"), TEXT("ordering_key"),
    TEXT("target_user_id"), JSON("extra"), JSON("trace"),
};

static const struct move_column jobs[] = {
    TEXT("tenant_id"), UUID("endpoint_id"), UUID("job_id"), UUID("event_id"), NODE("node_id"), TEXT("status"),
    INT2("attempt_count"), INT2("attempt_base"), TIME("next_attempt_at"), INT8("fifo_seq"),
    UUID("transform_id"), TIME("expires_at"), UUID("replay_id"), UUIDS("subscription_ids"), TEXT("last_error"),
};

static const struct move_column fifo_heads[] = {
    TEXT("tenant_id"), UUID("endpoint_id"), TEXT("ordering_key"), INT8("last_seq"), UUID("blocked_by"),
    NODE("node_id"),
};

static const struct move_column attempts[] = {
    TEXT("tenant_id"), UUID("attempt_id"), TIME("started_at"), UUID("job_id"), UUID("event_id"),
    UUID("endpoint_id"), INT4("duration_ms"), INT4("dns_ms"), INT4("connect_ms"), INT4("tls_ms"),
    INT4("first_byte_ms"), INT2("attempt_n"), INT2("http_status"), BOOL("test"), TEXT("status"),
    TEXT("peer_address"), TEXT("error"), TEXT("certificate_error"), TEXT("response_body"),
};

static const struct move_column dlq[] = {
    TEXT("tenant_id"), UUID("job_id"), UUID("event_id"), UUID("endpoint_id"), TIME("created_at"),
    TEXT("reason"), INT2("attempt_count"), INT2("last_http_status"), TEXT("last_error"), UUID("transform_id"),
    UUID("replay_id"), UUIDS("subscription_ids"), TEXT("topic"), TIME("occurred_at"), JSON("payload"),
    TEXT("idempotency_key"), TEXT("ordering_key"), TEXT("target_user_id"), JSON("extra"), JSON("trace"),
    BOOL("blocks"),
};

static const struct move_column dlq_events[] = {
    TEXT("tenant_id"), UUID("event_id"), UUID("job_id"), TEXT("topic"), TIME("occurred_at"), JSON("payload"),
    TEXT("idempotency_key"), TEXT("ordering_key"), TEXT("target_user_id"), JSON("extra"), JSON("trace"),
    UUID("endpoint_id"),
};

static const struct move_column replays[] = {
    TEXT("tenant_id"), UUID("replay_id"), TEXT("status"), JSON("request"), NODE("node_id"), INT8("matched"),
    INT8("scheduled"), INT8("skipped"), JSON("results"), TIME("created_at"), TIME("updated_at"),
    TIME("finished_at"), UUID("place"), INT8("taken"), INT8("replayed"), TIME("next_at"), TEXT("error"),
    BOOL("matched_exact"),
};

static const struct move_column idempotency_keys[] = {
    TEXT("tenant_id"), TEXT("route"), TEXT("key"), TEXT("object_id"), TEXT("fingerprint"), TIME("created_at"),
};

static const struct move_column audit_log[] = {
    TEXT("tenant_id"), UUID("audit_id"), TIME("created_at"), TEXT("key_id"), TEXT("key_name"), TEXT("action"),
    TEXT("object_kind"), TEXT("object_id"), JSON("before"), JSON("after"),
};

static const struct move_column tenant_stats[] = {
    TEXT("tenant_id"), INT8("queue_depth"), INT8("in_flight"), INT8("dlq_count"), INT8("api_keys"),
    INT8("event_count"), INT8("endpoint_count"), INT8("subscription_count"), INT8("delivery_count"),
    TIME("counted_at"),
};

static const struct move_column inbox_messages[] = {
    TEXT("tenant_id"), TEXT("token"), UUID("message_id"), TIME("received_at"), JSON("headers"), TEXT("body"),
};

static const struct move_column inbox_keys[] = {
    INT4("id"), TEXT("key"),
};

static const struct move_column routing_versions[] = {
    TEXT("tenant_id"), INT8("version"), INT8("change_version"),
};

static const struct move_column changes[] = {
    INT2("id"), INT8("version"), INT8("removed_version"),
};

static const struct move_column pauses[] = {
    TEXT("tenant_id"), TEXT("reason"), TEXT("paused_by"), TIME("paused_at"),
};

static const struct move_column upkeep[] = {
    TEXT("task"), TIME("ran_at"),
};

static const struct move_column cancelled_jobs[] = {
    TEXT("tenant_id"), INT8("version"), UUID("job_id"), TIME("cancelled_at"),
};

static const struct move_column notices[] = {
    TEXT("tenant_id"), UUID("notice_id"), TEXT("topic"), JSON("payload"), TIME("occurred_at"), TIME("next_at"),
};

#define TABLE(table, key_columns)                                                                                      \
	.name = #table, .columns = table, .count = sizeof table / sizeof *table, .keys = key_columns

const struct move_table move_tables[] = {
    {TABLE(tenants, 1), .where = "true"},
    {TABLE(api_keys, 1), .where = "true"},
    {TABLE(endpoints, 2), .where = "true"},
    {TABLE(transforms, 2), .where = "true"},
    {TABLE(subscriptions, 2), .where = "true"},
    {TABLE(events, 2), .where = "true"},
    {TABLE(jobs, 3), .where = "true"},
    {TABLE(fifo_heads, 3), .where = "true"},
    {TABLE(attempts, 2), .where = "true"},
    {TABLE(dlq, 2), .where = "true"},
    {TABLE(dlq_events, 3), .where = "true"},
    {TABLE(replays, 2), .where = "true"},
    {TABLE(idempotency_keys, 3), .where = "true"},
    {TABLE(audit_log, 2), .where = "true"},
    {TABLE(tenant_stats, 1), .where = "true"},
    {TABLE(inbox_messages, 3), .where = "true"},
    {TABLE(inbox_keys, 1), .where = "true"},
    {TABLE(routing_versions, 1), .where = "true"},
    {TABLE(changes, 1), .where = "true", .seeded = true},
    {TABLE(pauses, 1), .where = "tenant_id <> '" PAUSE_OF_ALL "'"}, /* a move pauses all deliveries itself */
    {TABLE(upkeep, 1), .where = "true"},
    {TABLE(cancelled_jobs, 3), .where = "true"},
    {TABLE(notices, 2), .where = "true"},
};
/* clang-format on */

const size_t move_table_count = sizeof move_tables / sizeof *move_tables;

const struct move_left move_left_out[] = {
    {"delivery_nodes", "the old store's nodes are not the new one's: one row that has left stands for all of them"},
    {"endpoint_tests", "single attempts that somebody waited for, for seconds"},
    {"store_identity", "the first start on the new store writes which installation that is"},
    {"hookline_schema_migrations", "the new store has its own"},
    {"endpoints.lease_epoch", "a node of the old store had the lease"},
    {"endpoints.lease_until", "a node of the old store had the lease"},
    {"endpoints.pinned_node_id", "nothing reads it: fifo_heads.node_id is the node that sends"},
};

const size_t move_left_count = sizeof move_left_out / sizeof *move_left_out;
