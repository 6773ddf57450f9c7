/* Reads subscriptions as clients write them. */
#include "control/subscription_document.h"

#include <string.h>

#include "base/crypto.h"
#include "base/format.h"
#include "control/members.h"
#include "event/filter.h"
#include "event/topic.h"
#include "event/transform.h"

/* Members of a reply that a client cannot set. */
static const char *const read_only[] = {
    "id", "subscription_id", "tenant_id", "version", "transform_id", "created_at", "updated_at", NULL};

bool
subscription_document_open(struct subscription_document *document, struct span body)
{
	*document = (struct subscription_document){0};
	return document_open(&document->document, body, &document->error);
}

void
subscription_document_close(struct subscription_document *document)
{
	document_close(&document->document);
	bytes_free(&document->extra);
	bytes_free(&document->transform);
}

/* Reads a member that a POST requires and that is never null. Returns whether it is given. */
static bool
read_required(struct document *document, const char *name, bool making, struct span *value)
{
	const struct document_lengths any = {0, DOCUMENT_BYTES_MAX, false};
	enum document_presence presence = document_presence(document, name);

	if (presence == DOCUMENT_NULL || (presence == DOCUMENT_ABSENT && making))
		return document_refuse(document, name, "is required");
	return document_string(document, name, &any, value);
}

static void
read_endpoint_id(struct subscription_document *document, bool making, struct subscription *subscription)
{
	struct span text;

	if (!read_required(&document->document, "endpoint_id", making, &text))
		return;
	if (object_id_read(text, document->endpoint_id))
		subscription->endpoint_id = (struct span){document->endpoint_id, OBJECT_ID_BYTES - 1};
	else
		(void)document_refuse(&document->document, "endpoint_id", "must be the id of an endpoint, a UUID");
}

static void
read_pattern(struct document *document, bool making, struct span *pattern)
{
	struct error err;

	if (read_required(document, "topic_pattern", making, pattern) && topic_pattern_check(*pattern, &err) < 0)
		(void)document_refuse(document, "topic_pattern", "%s", err.text);
}

static void
read_filter(struct document *document, struct span *filter)
{
	struct error err;

	if (document_presence(document, "filter") == DOCUMENT_NULL)
		*filter = (struct span){NULL, 0};
	else if (document_value(document, "filter", DOCUMENT_BYTES_MAX, filter) && filter_check(*filter, &err) < 0)
		(void)document_refuse(document, NULL, "%s", err.text);
}

/* Copies JSON without white space between tokens. */
static void
copy_tight(struct span json, struct bytes *out)
{
	bool in_string = false;

	for (const char *at = json.base; at < json.base + json.len; at++) {
		if (!in_string && memchr(" \t\r\n", *at, 4) != NULL)
			continue;
		bytes_add(out, at, 1);
		if (in_string && *at == '\\')
			bytes_add(out, ++at, 1);
		else if (*at == '"')
			in_string = !in_string;
	}
}

/* Makes the transform's id, a UUID of version 8 (RFC 9562 section 5.8): equal steps of a tenant have the same id. */
static void
name_transform(const char *tenant_id, struct span steps, char out[OBJECT_ID_BYTES])
{
	uint8_t digest[SHA256_BYTES];
	struct bytes named = {0};

	bytes_add(&named, tenant_id, strlen(tenant_id) + 1);
	bytes_add(&named, steps.base, steps.len);
	crypto_sha256((struct span){named.base, named.len}, digest);
	bytes_free(&named);
	digest[6] = (uint8_t)(0x80 | (digest[6] & 0x0f));
	digest[8] = (uint8_t)(0x80 | (digest[8] & 0x3f));
	format_uuid(digest, out);
	out[FORMAT_UUID_BYTES] = '\0';
}

static void
read_transform(struct subscription_document *document, const char *tenant_id, struct subscription *subscription)
{
	struct span given;
	struct error err;

	if (document_presence(&document->document, "transform") == DOCUMENT_NULL) {
		subscription->transform_id = subscription->transform = (struct span){NULL, 0};
		return;
	}
	if (!document_value(&document->document, "transform", DOCUMENT_BYTES_MAX, &given))
		return;
	if (transform_check(given, &err) < 0) {
		(void)document_refuse(&document->document, NULL, "%s", err.text);
		return;
	}
	copy_tight(given, &document->transform);
	subscription->transform = (struct span){document->transform.base, document->transform.len};
	name_transform(tenant_id, subscription->transform, document->transform_id);
	subscription->transform_id = (struct span){document->transform_id, OBJECT_ID_BYTES - 1};
	document->other_transform = true;
}

bool
subscription_document_apply(
    struct subscription_document *document, const char *tenant_id, bool making, struct subscription *subscription)
{
	struct document *members = &document->document;

	members_ignore(members, read_only);
	read_endpoint_id(document, making, subscription);
	read_pattern(members, making, &subscription->topic_pattern);
	read_filter(members, &subscription->filter);
	read_transform(document, tenant_id, subscription);
	member_bool(members, "enabled", true, &subscription->enabled);
	member_name(members, &subscription->name);
	member_description(members, &subscription->description);
	member_metadata(members, &subscription->metadata);
	members_unknown(members, &subscription->extra, &document->extra);
	return document->error.code == NULL;
}

size_t
subscription_size(const struct subscription *subscription)
{
	return subscription->topic_pattern.len + subscription->filter.len + subscription->transform.len +
	       subscription->name.len + subscription->description.len + subscription->metadata.len +
	       subscription->extra.len;
}
