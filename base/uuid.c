/* UUIDs: reading their text, version 5 by SHA-1, version 7 from a pool of random bytes. */
#include "base/uuid.h"

#include <endian.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"

/* clang-format off */
const uint8_t uuid_client_ids[16] = {
    0xc2, 0x79, 0x4c, 0x55, 0x9d, 0x05, 0x48, 0xfc, 0xab, 0xc1, 0x80, 0xf3, 0x65, 0xc3, 0xef, 0xcd};

const uint8_t uuid_request_events[16] = {
    0x7d, 0xa0, 0xd4, 0xd4, 0xf8, 0x22, 0x41, 0x02, 0x92, 0x4c, 0x4a, 0x49, 0x41, 0x3a, 0x7e, 0x02};

/* The value of each hex digit, with IS_DIGIT. */
#define IS_DIGIT 0x10
static const uint8_t digits[256] = {
    ['0'] = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
    ['A'] = 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
    ['a'] = 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
};
/* clang-format on */

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

void
uuid_v7(struct uuid_source *source, int64_t now_us, uint8_t out[16])
{
	uint64_t us = now_us > 0 ? (uint64_t)now_us : 0;
	uint64_t tick = us / 1000 << 12 | (us % 1000 * 4096 / 1000);

	/* Ids ascend even if the clock stands still or jumps back. */
	if (tick <= source->last)
		tick = source->last + 1;
	source->last = tick;

	if (sizeof source->pool - source->used < 8) {
		crypto_random(source->pool, sizeof source->pool);
		source->used = 0;
	}
	tick = htobe64(tick >> 12 << 16 | (tick & 0xfff));
	memcpy(out, &tick, sizeof tick);
	memcpy(out + 8, source->pool + source->used, 8);
	source->used += 8;
	set_version(out, 7);
}

void
uuid_v7_first(int64_t ms, uint8_t out[16])
{
	uint64_t head = htobe64((uint64_t)ms << 16);

	memset(out, 0, 16);
	memcpy(out, &head, sizeof head);
}

void
uuid_v5(const uint8_t space[16], const char *text, size_t len, uint8_t out[16])
{
	uint8_t digest[SHA1_BYTES];

	crypto_sha1((struct span){(const char *)space, 16}, (struct span){text, len}, digest);
	memcpy(out, digest, 16);
	set_version(out, 5);
}

/* Reads 32 hex digits, with the usual hyphens or none, into 16 bytes. */
static bool
parse_digits(const char *text, bool hyphens, uint8_t id[16])
{
	unsigned all = IS_DIGIT;

	for (int i = 0; i < 16; i++, text += 2) {
		unsigned high, low;

		if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = digits[(unsigned char)text[0]];
		low = digits[(unsigned char)text[1]];
		all &= high & low;
		id[i] = (uint8_t)(high << 4 | (low & 0x0f));
	}
	return all == IS_DIGIT;
}

bool
uuid_parse(const char *text, size_t len, uint8_t out[16])
{
	static const char urn[] = "urn:uuid:";
	const size_t urn_len = sizeof urn - 1;
	uint8_t id[16];

	/* The plain form, by far the most common, skips this. */
	if (len != 32 && len != 36) {
		if (len > urn_len && strncasecmp(text, urn, urn_len) == 0) {
			text += urn_len;
			len -= urn_len;
		} else if (len > 2 && text[0] == '{' && text[len - 1] == '}') {
			text++;
			len -= 2;
		}
		if (len != 32 && len != 36)
			return false;
	}
	if (!parse_digits(text, len == 36, id))
		return false;
	memcpy(out, id, sizeof id);
	return true;
}
