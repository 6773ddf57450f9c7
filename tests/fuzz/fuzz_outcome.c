/*
 * Arbitrary bytes as an outcome on a lane. The target puts a right length and checksum in, because chance would not
 * find them. An outcome that is accepted lies within the bytes, and is the same when it is written again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "courier/outcome.h"
#include "tests/fuzz/target.h"

static void
must_be_inside(const char *begin, size_t size, struct span span)
{
	assert(span.base == NULL ? span.len == 0 : span.base >= begin && span.base + span.len <= begin + size);
}

static void
must_come_back(const struct outcome *outcome, const char *bytes, size_t size)
{
	const struct span texts[] = {outcome->job.tenant_id, outcome->reason, outcome->peer, outcome->error,
	    outcome->certificate_error, outcome->response};
	static _Alignas(8) char again[OUTCOME_BYTES_MAX];
	struct outcome reread;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		must_be_inside(bytes, size, texts[i]);
	size_t written = outcome_write(again, outcome);
	assert(written == size && outcome_read(again, written, &reread));
	assert(reread.kind == outcome->kind && reread.end == outcome->end && reread.error.len == outcome->error.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t start = 2 * sizeof(uint32_t);
	uint32_t length = (uint32_t)size, crc;
	struct outcome outcome;
	char *bytes = malloc(size > 0 ? size : 1);

	assert(bytes != NULL);
	memcpy(bytes, data, size);
	if (outcome_read(bytes, size, &outcome))
		must_come_back(&outcome, bytes, size);
	if (size >= start) {
		crc = crc32c(bytes + start, size - start);
		memcpy(bytes, &length, sizeof length);
		memcpy(bytes + sizeof length, &crc, sizeof crc);
		if (outcome_read(bytes, size, &outcome))
			must_come_back(&outcome, bytes, size);
	}
	free(bytes);
	return 0;
}
