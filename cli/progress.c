/* A bar is drawn over the previous one, at most ten times a second. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_EVERY_US 100000
#define LINE_EVERY_US (10 * INT64_C(1000000))
#define BAR_WIDTH 24
#define CLEAR "\r\033[K"

static void
draw_bar(const struct progress *progress)
{
	char bar[BAR_WIDTH + 1];
	double part = (double)progress->done / (double)progress->total;
	int full = part >= 1 ? BAR_WIDTH : (int)(part * BAR_WIDTH);

	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "[%s] %3.0f %%  ", bar, part >= 1 ? 100 : 100 * part);
}

static void
show(struct progress *progress, int64_t now_us)
{
	double seconds = (double)(now_us - progress->began_us) / 1e6;
	double rate = seconds > 0 ? (double)(progress->done - progress->before) / seconds : 0;
	uint64_t left = progress->total > progress->done ? progress->total - progress->done : 0;

	if (progress->terminal)
		fputs(CLEAR, stderr);
	if (progress->terminal && progress->total > 0)
		draw_bar(progress);
	fprintf(stderr, "%s: %" PRIu64, progress->what, progress->done);
	if (progress->total > 0)
		fprintf(stderr, " of %" PRIu64, progress->total);
	fprintf(stderr, " rows, %.0f/s", rate);
	if (progress->total > 0 && rate > 0) {
		uint64_t rest = (uint64_t)((double)left / rate);

		fprintf(stderr, ", %" PRIu64 ":%02" PRIu64 " left", rest / 60, rest % 60);
	}
	fputs(progress->terminal ? "" : "\n", stderr);
	(void)fflush(stderr);
	progress->shown_us = now_us;
}

void
progress_begin(struct progress *progress, const char *what, uint64_t total, uint64_t before)
{
	int64_t now_us = clock_steady_us();

	*progress = (struct progress){.what = what,
	    .total = total,
	    .done = before,
	    .before = before,
	    .began_us = now_us,
	    .shown_us = now_us,
	    .terminal = isatty(STDERR_FILENO) == 1};
	if (progress->terminal)
		show(progress, now_us);
}

void
progress_add(struct progress *progress, uint64_t count)
{
	int64_t now_us = clock_steady_us();

	progress->done += count;
	if (now_us - progress->shown_us >= (progress->terminal ? BAR_EVERY_US : LINE_EVERY_US))
		show(progress, now_us);
}

void
progress_end(struct progress *progress)
{
	if (progress->terminal)
		fputs(CLEAR, stderr);
	(void)fflush(stderr);
}
