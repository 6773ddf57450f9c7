/*
 * A cursor is base64url of the list's letter, the order ('a' or 'd') and the place behind which a page begins: an id,
 * prefixed by "<time>." if the list has times, and by another "<time>." if the list will go back to rows that were
 * young. The row at the place need not exist. Any thread.
 */
#ifndef CONTROL_LIST_CURSOR_H
#define CONTROL_LIST_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base64.h"

#define LIST_ID_BYTES 65 /* of the longest id, a tenant's, and a NUL */

/* The page to list. */
struct list_page {
	char after[LIST_ID_BYTES]; /* start behind this id; "": from the beginning */
	int64_t after_us; /* and behind this time, in a list with times */
	int64_t young_us; /* listed rows from this time up to `after` were young; 0: none were */
	bool descending;
	uint32_t limit;
};

/* The form of a list's cursors. */
struct list_cursor {
	char letter;
	bool of_names; /* ids are tenants' names, not UUIDs; without times, because a name may look like one */
	bool has_times;
	bool goes_back; /* ascending order goes back to young rows */
};

#define LIST_CURSOR_RAW_BYTES (2 + 2 * sizeof "-9223372036854775808" + LIST_ID_BYTES)
#define LIST_CURSOR_BYTES BASE64_TEXT_BYTES(LIST_CURSOR_RAW_BYTES)

/* Writes the page's cursor, from its after, after_us, young_us and order, with a NUL. */
void list_cursor_write(struct list_cursor form, const struct list_page *page, char out[LIST_CURSOR_BYTES]);

/*
 * Reads a client's cursor into after, after_us and young_us of the page, whose order is set. false: it is invalid, or
 * of another list or order; the page is then undefined.
 */
bool list_cursor_read(struct list_cursor form, struct list_page *page, const char *text);

#endif
