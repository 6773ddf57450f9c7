/* What the tests of the key table share: keys whose members follow from their numbers. Include after cmocka.h. */
#ifndef TESTS_KEY_TABLE_FIXTURE_H
#define TESTS_KEY_TABLE_FIXTURE_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "shm/key_table.h"
#include "shm/key_writer.h"
#include "tests/unit/lane_fixture.h"

/* Returns an empty table that children share. It is never released: tests are short. */
static inline struct key_table *
table_make(void)
{
	struct key_table *table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	REQUIRE(table != MAP_FAILED);
	return table;
}

/* The first three bytes of the hash choose the key's cell, so that some keys meet in one. */
static inline void
hash_of(uint32_t number, uint8_t hash[SHA256_BYTES])
{
	char text[16];

	(void)snprintf(text, sizeof text, "%u", number);
	crypto_sha256((struct span){text, strlen(text)}, hash);
}

/* Every member but the hash follows from the number and the version. */
static inline struct api_key
key_of(uint32_t number, uint32_t version)
{
	struct api_key key = {
	    .expires_ms = KEY_NEVER - version,
	    .bytes_per_second = (uint64_t)version << 32 | number,
	    .events_per_second = version,
	    .scopes = version ^ number,
	};

	hash_of(number, key.hash);
	(void)snprintf(key.key_id, sizeof key.key_id, "key %u.%u", number, version);
	(void)snprintf(key.tenant_id, sizeof key.tenant_id, "tenant %u.%u", number, version);
	(void)snprintf(key.name, sizeof key.name, "name %u.%u", number, version);
	return key;
}

/* The key's version. Ends the process unless every member is that of this number and version. */
static inline uint32_t
key_require(const struct api_key *key, uint32_t number)
{
	struct api_key expected = key_of(number, key->events_per_second);

	expected.slot = key->slot;
	expected.is_start_key = key->is_start_key;
	REQUIRE(memcmp(key, &expected, sizeof expected) == 0);
	return key->events_per_second;
}

/* The version of the key with that number in the table; UINT32_MAX: the table does not have it. */
static inline uint32_t
table_version(const struct key_table *table, uint32_t number)
{
	struct api_key found;
	uint8_t hash[SHA256_BYTES];

	hash_of(number, hash);
	return key_table_find(table, hash, &found) == 0 ? key_require(&found, number) : UINT32_MAX;
}

#define ABSENT UINT32_MAX

#endif
