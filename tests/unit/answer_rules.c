/*
 * A program for test_rules.py that applies filters and transforms to events. It reads cases from standard input:
 *
 *   filter FILTERS EVENTS    then so many lines of each, JSON. Prints a line for each event: 0 or 1 for each filter
 *   transform EVENTS         then the transform and the events. Prints a line for each event: what it becomes
 *
 * The program fails with the parser's error when a filter or transform is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/filter_event.h"
#include "event/transform_apply.h"

struct line {
	char *text;
	size_t room;
};

static struct span
read_line(struct line *line)
{
	ssize_t len = getline(&line->text, &line->room, stdin);

	if (len <= 0) {
		(void)fprintf(stderr, "a line is missing\n");
		exit(2);
	}
	/* The buffer has exactly the size of its contents, so that the address sanitizer sees a byte read too far. */
	line->text = realloc(line->text, (size_t)len);
	line->room = (size_t)len;
	return (struct span){line->text, (size_t)len - 1};
}

static void
require(int rc, struct span text, const struct error *err)
{
	if (rc == 0)
		return;
	(void)fprintf(stderr, "%.*s\n%s\n", (int)text.len, text.base, err->text);
	exit(1);
}

static void
answer_filters(uint32_t count, uint32_t events)
{
	struct filter *filters = mem_new(count, sizeof *filters);
	struct line line = {0};
	struct filter_event *event;
	struct filter_set *set;
	struct error err;

	for (uint32_t i = 0; i < count; i++) {
		struct span text = read_line(&line);

		require(filter_parse(text, &filters[i], &err), text, &err);
	}
	set = filter_set_new(filters, count);
	free(filters);
	event = filter_event_new(set);
	while (events-- > 0) {
		require(filter_event_read(event, read_line(&line)) ? 0 : -1, (struct span){line.text, line.room}, &err);
		for (uint32_t i = 0; i < count; i++)
			(void)putchar(filter_event_holds(event, i) ? '1' : '0');
		(void)putchar('\n');
	}
	filter_event_free(event);
	filter_set_free(set);
	free(line.text);
}

static void
answer_transform(struct json_edit *edit, uint32_t events)
{
	struct line line = {0};
	struct span text = read_line(&line);
	struct transform transform;
	struct error err;

	require(transform_parse(text, &transform, &err), text, &err);
	while (events-- > 0) {
		struct span out = transform_apply(&transform, read_line(&line), edit);

		(void)fwrite(out.base, 1, out.len, stdout);
		(void)putchar('\n');
	}
	transform_free(&transform);
	free(line.text);
}

int
main(void)
{
	struct json_edit *edit = json_edit_new();
	uint32_t count, events;
	char kind[16];

	while (scanf("%15s %u", kind, &count) == 2) {
		if (strcmp(kind, "filter") == 0 && scanf("%u", &events) == 1 && getchar() == '\n')
			answer_filters(count, events);
		else if (strcmp(kind, "transform") == 0 && getchar() == '\n')
			answer_transform(edit, count);
	}
	json_edit_free(edit);
	return 0;
}
