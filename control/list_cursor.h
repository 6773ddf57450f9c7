/*
 * A cursor is base64url of the list's letter, the order ('a' or 'd') and the place behind which a page begins: an id,
 * behind "<time>." where the list has times, behind "<time>." once more where the list will go back to rows that were
 * young. It names no row that must be there. Any thread.
 */
#ifndef CONTROL_LIST_CURSOR_H
#define CONTROL_LIST_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base64.h"

#define LIST_ID_BYTES 65 /* of the longest id, a tenant's, and a NUL */

/* What is to be listed. */
struct list_page {
	char after[LIST_ID_BYTES]; /* behind this id; "": from the beginning */
	int64_t after_us; /* and this time, in a list that has times */
	int64_t young_us; /* what lies before `after` was young when it was listed, from this time on; 0: it was not */
	bool descending;
	uint32_t limit;
};

/* The form of a list's cursors. */
struct list_cursor {
	char letter;
	bool of_names; /* ids are not UUIDs but tenants' names */
	bool has_times;
	bool goes_back; /* to young rows, in ascending order */
};

#define LIST_CURSOR_RAW_BYTES (2 + 2 * sizeof "-9223372036854775808" + LIST_ID_BYTES)
#define LIST_CURSOR_BYTES BASE64_TEXT_BYTES(LIST_CURSOR_RAW_BYTES)

/* Writes the cursor of that page with a NUL: its after, after_us, young_us and order. */
void list_cursor_write(struct list_cursor form, const struct list_page *page, char out[LIST_CURSOR_BYTES]);

/*
 * Reads a cursor from outside into after, after_us and young_us of the page, whose order is known. false: it is none,
 * or one of another list or order; the page is then undefined.
 */
bool list_cursor_read(struct list_cursor form, struct list_page *page, const char *text);

#endif
