/*
 * One statement claims all keys in the order of their rows, so that of two publishers one waits, without a deadlock. A
 * second statement then finds the rows that belong to other events.
 */
#include "store/webhooks/event_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/idempotency.h"

#define FINGERPRINT_CHARS (2 * SHA256_BYTES)

/* An event that has a key. */
struct keyed {
	struct publication *item;
	struct span key;
	const struct keyed *first; /* the group's first event with that key, perhaps this one */
	uint8_t fingerprint[SHA256_BYTES];

	/* Of a first one: the key belongs to another event in the store. */
	bool has_other;
	uint8_t other[16];
	char other_fingerprint[FINGERPRINT_CHARS + 1];
};

/* ---- the events that have a key ---- */

static int
compare(struct span a, struct span b)
{
	int order = memcmp(a.base, b.base, a.len < b.len ? a.len : b.len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* By tenant and key, then in order of arrival. */
static int
by_key(const void *a, const void *b)
{
	const struct keyed *one = a, *other = b;
	int order = compare(publication_tenant(one->item), publication_tenant(other->item));

	if (order == 0)
		order = compare(one->key, other->key);
	return order != 0 ? order
			  : (one->item->number > other->item->number) - (one->item->number < other->item->number);
}

static bool
same_key(const struct keyed *one, const struct keyed *other)
{
	return compare(publication_tenant(one->item), publication_tenant(other->item)) == 0 &&
	       compare(one->key, other->key) == 0;
}

static void
take_fingerprint(struct keyed *keyed, struct bytes *text)
{
	struct span topic = record_published_string(keyed->item->record, PUBLISHED_TOPIC);
	struct span payload = record_data(keyed->item->record);

	/* A topic has no white space. */
	text->len = 0;
	bytes_add(text, topic.base, topic.len);
	bytes_add_text(text, "\n");
	bytes_add(text, payload.base, payload.len);
	crypto_sha256((struct span){text->base, text->len}, keyed->fingerprint);
}

/* Finds the events that have a key, sorted. The caller frees *keyed. Returns their number. */
static uint32_t
find_keyed(const struct publication_group *group, struct keyed **keyed)
{
	struct keyed *all = NULL;
	struct bytes text = {0};
	uint32_t count = 0;

	for (uint32_t i = 0; i < group->count; i++) {
		struct publication *item = group->items[i];
		struct span key = record_published_string(item->record, PUBLISHED_IDEMPOTENCY_KEY);

		if (item->outcome.result != 0 || key.base == NULL)
			continue;
		if (all == NULL)
			all = mem_new(group->count, sizeof *all);
		all[count] = (struct keyed){.item = item, .key = key};
		take_fingerprint(&all[count++], &text);
	}
	bytes_free(&text);
	if (count > 0)
		qsort(all, count, sizeof *all, by_key);
	for (uint32_t i = 0; i < count; i++)
		all[i].first = i > 0 && same_key(&all[i], all[i - 1].first) ? all[i - 1].first : &all[i];
	*keyed = all;
	return count;
}

/* ---- their rows ---- */

static void
write_hex(const uint8_t bytes[SHA256_BYTES], char out[FINGERPRINT_CHARS + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_BYTES; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[FINGERPRINT_CHARS] = '\0';
}

/* Claims each key for its first event. *others is as in idempotency_claim_all(), with indexes of firsts[]. */
static int
claim(struct db *db, struct keyed *keyed, uint32_t count, struct db_rows **others, struct keyed **firsts,
    struct error *err) /* six: as db_query(), and the firsts */
{
	struct idempotency_request *requests = mem_new(count, sizeof *requests);
	uint32_t keys = 0;
	int rc;

	for (uint32_t i = 0; i < count; i++)
		if (keyed[i].first == &keyed[i]) {
			firsts[keys] = &keyed[i];
			requests[keys].tenant_id = publication_tenant(keyed[i].item);
			requests[keys].key = keyed[i].key;
			requests[keys].object_id = keyed[i].item->record->event_id;
			write_hex(keyed[i].fingerprint, requests[keys++].fingerprint);
		}
	rc = idempotency_claim_all(db, "events", requests, keys, others, err);
	free(requests);
	return rc;
}

static void
set_outcome(struct publication *item, bool same, const uint8_t first[16])
{
	item->outcome = (struct publish_outcome){.result = same ? PUBLISH_KNOWN : PUBLISH_CONFLICT};
	memcpy(item->outcome.event_id, first, 16);
}

/* Records that another event has this event's key. */
static void
set_other(struct keyed *keyed, struct span object_id, struct span fingerprint)
{
	if (!uuid_parse(object_id.base, object_id.len, keyed->other))
		memset(keyed->other, 0, 16); /* an edited row: no event has that id, so it is a conflict */
	keyed->has_other = true;
	(void)snprintf(
	    keyed->other_fingerprint, sizeof keyed->other_fingerprint, "%.*s", (int)fingerprint.len, fingerprint.base);
}

/* Sets the outcomes: the key belongs to another event of the store, or to an earlier one of this group. */
static void
decide(struct keyed *keyed)
{
	const struct keyed *first = keyed->first;
	char own[FINGERPRINT_CHARS + 1];

	if (first->has_other) {
		write_hex(keyed->fingerprint, own);
		set_outcome(keyed->item, strcmp(own, first->other_fingerprint) == 0, first->other);
	} else if (first != keyed)
		set_outcome(keyed->item, memcmp(keyed->fingerprint, first->fingerprint, SHA256_BYTES) == 0,
		    first->item->record->event_id);
}

int
event_keys_claim(struct db *db, const struct publication_group *group, struct error *err)
{
	struct keyed *keyed, **firsts;
	struct db_rows *others = NULL;
	uint32_t count = find_keyed(group, &keyed);
	int rc;

	if (count == 0)
		return 0;
	firsts = mem_new(count, sizeof *firsts);
	rc = claim(db, keyed, count, &others, firsts, err);
	for (uint32_t row = 0; row < db_rows_count(others); row++)
		set_other(
		    firsts[db_rows_int(others, row, 0)], db_rows_text(others, row, 1), db_rows_text(others, row, 2));
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		decide(&keyed[i]);
	db_rows_free(others);
	free(firsts);
	free(keyed);
	return rc;
}
