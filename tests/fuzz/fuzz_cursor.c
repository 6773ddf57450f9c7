/*
 * Arbitrary texts as cursors of lists, of every form and order, which the first byte of an input selects. For every
 * input a cursor that is accepted has these properties:
 *
 *   - the page begins after an id, or a tenant's name, in the form in which the service writes it;
 *   - its times are not negative, and there are none in a list without times;
 *   - the cursor of that page is accepted again, for the same page.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/text_rules.h"
#include "control/list_cursor.h"
#include "control/object_id.h"
#include "tests/fuzz/target.h"

static void
check_id(struct list_cursor form, const struct list_page *page)
{
	struct span after = {page->after, strlen(page->after)};
	char id[OBJECT_ID_BYTES];

	if (form.of_names)
		assert(text_is_tenant(after.base, after.len));
	else
		assert(object_id_read(after, id) && after.len == strlen(id));
}

static void
check_again(struct list_cursor form, const struct list_page *page)
{
	struct list_page again = {.descending = page->descending};
	char text[LIST_CURSOR_BYTES];

	list_cursor_write(form, page, text);
	assert(list_cursor_read(form, &again, text));
	assert(strcmp(again.after, page->after) == 0 && again.young_us == page->young_us);
	assert(!form.has_times || again.after_us == page->after_us);
	again.descending = !again.descending;
	assert(!list_cursor_read(form, &again, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct list_page page = {.after_us = -1};
	struct list_cursor form;
	char *text;

	if (size == 0 || (data[0] & 3) == 3)
		return 0; /* names have no times */
	form = (struct list_cursor){.letter = 'e',
	    .of_names = (data[0] & 1) != 0,
	    .has_times = (data[0] & 2) != 0,
	    .goes_back = (data[0] & 4) != 0};
	page.descending = (data[0] & 8) != 0;
	text = malloc(size);
	assert(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (list_cursor_read(form, &page, text)) {
		check_id(form, &page);
		assert(page.young_us >= 0 && (page.after_us >= 0) == form.has_times);
		assert(page.young_us == 0 || (form.has_times && form.goes_back && !page.descending));
		check_again(form, &page);
	}
	free(text);
	return 0;
}
