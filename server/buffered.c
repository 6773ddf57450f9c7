/* Keeps a sum, and a list of parts in the order of time. */
#include "server/buffered.h"

void
buffered_init(struct buffered *buffered)
{
	buffered->bytes = buffered->kept = 0;
	h2o_linklist_init_anchor(&buffered->parts);
}

void
buffered_set(struct buffered *buffered, struct buffered_part *part, size_t bytes)
{
	buffered->bytes += bytes;
	buffered->bytes -= part->bytes;
	if (!h2o_linklist_is_linked(&part->link)) {
		buffered->kept -= part->bytes;
		h2o_linklist_insert(&buffered->parts, &part->link); /* at the end */
	}
	part->bytes = bytes;
	if (bytes == 0)
		buffered_keep(buffered, part);
}

void
buffered_keep(struct buffered *buffered, struct buffered_part *part)
{
	if (!h2o_linklist_is_linked(&part->link))
		return;
	h2o_linklist_unlink(&part->link);
	buffered->kept += part->bytes;
}

struct buffered_part *
buffered_oldest(struct buffered *buffered)
{
	return h2o_linklist_is_empty(&buffered->parts)
		   ? NULL
		   : H2O_STRUCT_FROM_MEMBER(struct buffered_part, link, buffered->parts.next);
}
