/*
 * An attempt may last minutes. If another node went on meanwhile, the receiver could get this event after later
 * ones.
 */
#include "courier/cut_orders.h"

#include <stdlib.h>

static struct job *
in_order(const struct queue *queue)
{
	struct job *job;

	TAILQ_FOREACH(job, &queue->jobs, of_queue)
	if (job->state == JOB_IN_FLIGHT && job->lane != NULL)
		return job;
	return NULL;
}

void
cut_orders(struct http *http, const struct queues *queues)
{
	uint32_t count = queues->table.count;
	struct id_link **links = id_table_list(&queues->table);

	for (uint32_t i = 0; i < count; i++) {
		const struct queue *queue = (const struct queue *)links[i];

		while (queue->fifo.in_flight > 0)
			http_cut(http, in_order(queue));
	}
	free(links);
}
