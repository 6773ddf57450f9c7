/* Updates jobs in memory by their rows. */
#include "courier/reconcile.h"

#include <string.h>

#include "courier/job_states.h"

#define EARLIER_US (1000 * INT64_C(1000)) /* row and memory may differ by less for the same outcome */

void
reconcile_begin(struct jobs *jobs)
{
	jobs->pages++;
}

/* A row is ignored if the job's outcome is not committed or was refused: the row is outdated. */
void
reconcile_row(struct jobs *jobs, const struct queue *queue, const uint8_t job_id[16], int64_t due_us)
{
	struct job *job = jobs_find(jobs, job_id);

	if (job == NULL || job->queue != queue)
		return;
	job->page = jobs->pages;
	if (job->state != JOB_WAITING || job->uncommitted || job->kept || job->due.at <= jobs->ready->now_us ||
	    due_us + EARLIER_US > job->due.at)
		return;
	job->due.at = due_us;
	job_change_state(jobs, job, JOB_WAITING);
}

static bool
stands_behind(const struct job *job, const struct job_place *place)
{
	if (job->fifo_seq != place->seq)
		return job->fifo_seq > place->seq;
	return memcmp(job->link.id, place->id, sizeof job->link.id) > 0;
}

/* Handles a job whose row is gone. */
static void
lose(struct jobs *jobs, struct job *job)
{
	if (job->lane != NULL) {
		/* The job may be a dead letter that stops its order: read the rows before another job goes. */
		if (job->queue->fifo.blocks)
			job_unload_followers(jobs, job);
		/* Somebody may have edited the job's place only. */
		job->queue->fifo.unplaced = true;
		read_schedule_all(
		    jobs->schedule, job->queue, jobs->schedule->now_us); /* its followers may be in rows */
	}
	if (job->state == JOB_WAITING)
		job_forget(jobs, job);
	else
		job->disowned = true;
}

void
reconcile_end(struct jobs *jobs, struct queue *queue, const struct job_place *after, const struct job_place *last)
{
	struct job *next;

	for (struct job *job = TAILQ_FIRST(&queue->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, of_queue);
		if (job->disowned || job->page == jobs->pages || job->taken > queue->taken ||
		    !stands_behind(job, after) || (last != NULL && stands_behind(job, last)))
			continue;
		lose(jobs, job);
		if (queue->fifo.blocks) /* lose() may have removed others */
			next = TAILQ_FIRST(&queue->jobs);
	}
}

void
jobs_cancel(struct jobs *jobs, const char *tenant_id, const uint8_t job_id[16])
{
	struct job *job = jobs_find(jobs, job_id);

	if (job != NULL && strcmp(job->queue->tenant->tenant_id, tenant_id) == 0)
		lose(jobs, job);
}
