/* The start of a writer; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shm/settle.h"
#include "tests/faults/torture.h"
#include "shm/segment_lock.h"
#include "shm/segment_open.h"
#include "tests/faults/torture_writer.h"

struct segment torture_segment;
struct writer_slot *torture_slot;

int
torture_start_writer(void)
{
	char path[64];
	const struct config config = {.hl_store = HL_STORE_OFF,
	    .storage = STORAGE_JSONL,
	    .acceptors = 1,
	    .writers = 1,
	    .ring_path = path,
	    .ring_bytes = 1 << 20};
	struct error err = {""};

	(void)snprintf(path, sizeof path, "%s/ring", torture_directory);
	if (segment_open(&torture_segment, &config, &err) != 0) {
		torture_assert(faults()->failed > 0 && err.text[0] != '\0', "\"%s\"", err.text);
		return -1;
	}
	torture_slot = segment_writer(&torture_segment, ROLE_WRITER, 0);
	segment_append_lock(&torture_segment);
	settle_take_over(&torture_segment, ROLE_WRITER, 0);
	segment_append_unlock(&torture_segment);
	return 0;
}

void
torture_start_writer_safely(void)
{
	uint32_t groups = faults()->groups;

	faults()->groups = 0;
	torture_assert(torture_start_writer() == 0, "no start");
	faults()->groups = groups;
}
