/* UUIDs: text both ways, version 5 by libcrypto's SHA-1, version 7 from a pool of the kernel's randomness. */
#include "ingest/uuid.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <openssl/sha.h>

#include "base/json_escape.h"
#include "base/log.h"

const uint8_t uuid_client_ids[16] = {
    0xc2,
    0x79,
    0x4c,
    0x55,
    0x9d,
    0x05,
    0x48,
    0xfc,
    0xab,
    0xc1,
    0x80,
    0xf3,
    0x65,
    0xc3,
    0xef,
    0xcd,
};

const uint8_t uuid_request_events[16] = {
    0x7d,
    0xa0,
    0xd4,
    0xd4,
    0xf8,
    0x22,
    0x41,
    0x02,
    0x92,
    0x4c,
    0x4a,
    0x49,
    0x41,
    0x3a,
    0x7e,
    0x02,
};

static void
set_version(uint8_t id[16], uint8_t version)
{
	id[6] = (uint8_t)(version << 4 | (id[6] & 0x0f));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
}

void
uuid_source_init(struct uuid_source *source)
{
	source->used = sizeof source->pool;
	source->last = 0;
}

static void
refill(struct uuid_source *source)
{
	size_t have = 0;

	while (have < sizeof source->pool) {
		ssize_t n = getrandom(source->pool + have, sizeof source->pool - have, 0);

		if (n > 0) {
			have += (size_t)n;
		} else if (errno != EINTR) {
			log_error("the kernel gives no random bytes", LOG_STR("error", strerror(errno)));
			abort();
		}
	}
	source->used = 0;
}

void
uuid_v7(struct uuid_source *source, int64_t now_us, uint8_t out[16])
{
	uint64_t us = now_us > 0 ? (uint64_t)now_us : 0;
	uint64_t tick = us / 1000 << 12 | (us % 1000 * 4096 / 1000);

	/* A clock that stands still or runs backwards must not make ids that do: step by the smallest unit instead. */
	if (tick <= source->last)
		tick = source->last + 1;
	source->last = tick;

	if (sizeof source->pool - source->used < 8)
		refill(source);
	tick = htobe64(tick >> 12 << 16 | (tick & 0xfff));
	memcpy(out, &tick, sizeof tick);
	memcpy(out + 8, source->pool + source->used, 8);
	source->used += 8;
	set_version(out, 7);
}

void
uuid_v5(const uint8_t space[16], const char *text, size_t len, uint8_t out[16])
{
	uint8_t input[16 + UUID_V5_TEXT_MAX], digest[SHA_DIGEST_LENGTH];

	assert(len <= UUID_V5_TEXT_MAX);
	memcpy(input, space, 16);
	memcpy(input + 16, text, len);
	if (SHA1(input, 16 + len, digest) == NULL) {
		log_error("libcrypto gives no SHA-1, which client event ids need");
		abort();
	}
	memcpy(out, digest, 16);
	set_version(out, 5);
}

bool
uuid_parse(const char *text, size_t len, uint8_t out[16])
{
	static const char urn[] = "urn:uuid:";
	const size_t urn_len = sizeof urn - 1;
	uint8_t id[16];
	bool hyphens;

	if (len > urn_len && strncasecmp(text, urn, urn_len) == 0) {
		text += urn_len;
		len -= urn_len;
	} else if (len > 2 && text[0] == '{' && text[len - 1] == '}') {
		text++;
		len -= 2;
	}
	if (len != 32 && len != 36)
		return false;
	hyphens = len == 36;
	for (int i = 0; i < 16; i++) {
		int high, low;

		if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = hex_digit(text[0]);
		low = hex_digit(text[1]);
		if (high < 0 || low < 0)
			return false;
		id[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	memcpy(out, id, sizeof id);
	return true;
}
