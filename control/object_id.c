/* Makes and reads ids. */
#include "control/object_id.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/uuid.h"

/* One for all threads: ids ascend in the order of the calls. */
static pthread_mutex_t source_lock = PTHREAD_MUTEX_INITIALIZER;
static struct uuid_source source = {.used = sizeof source.pool};

static void
write_id(const uint8_t id[16], char out[OBJECT_ID_BYTES])
{
	format_uuid(id, out);
	out[FORMAT_UUID_BYTES] = '\0';
}

void
object_id_make(char out[OBJECT_ID_BYTES])
{
	uint8_t id[16];

	(void)pthread_mutex_lock(&source_lock);
	uuid_v7(&source, clock_wall_us(), id);
	(void)pthread_mutex_unlock(&source_lock);
	write_id(id, out);
}

bool
object_id_read(struct span text, char out[OBJECT_ID_BYTES])
{
	uint8_t id[16];

	if (!uuid_parse(text.base, text.len, id))
		return false;
	write_id(id, out);
	return true;
}
