/* The id is last, so a truncated cursor has no complete id. */
#include "control/list_cursor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/text_rules.h"
#include "control/object_id.h"

static char
order_letter(bool descending)
{
	return descending ? 'd' : 'a';
}

void
list_cursor_write(struct list_cursor form, const struct list_page *page, char out[LIST_CURSOR_BYTES])
{
	char raw[LIST_CURSOR_RAW_BYTES], young[24] = "", time[24] = "";
	int len;

	assert(!form.of_names || !form.has_times);
	if (page->young_us != 0)
		(void)snprintf(young, sizeof young, "%" PRId64 ".", page->young_us);
	if (form.has_times)
		(void)snprintf(time, sizeof time, "%" PRId64 ".", page->after_us);
	len = snprintf(
	    raw, sizeof raw, "%c%c%s%s%s", form.letter, order_letter(page->descending), young, time, page->after);
	assert(len < (int)sizeof raw);
	(void)base64_encode(raw, (size_t)len, BASE64_URL, out);
}

/* Takes "<digits>." off the front of the text. At most 18 digits: the year 33658, which every store can represent. */
static bool
take_time(struct span *text, int64_t *us)
{
	int64_t time = 0;
	size_t n = 0;

	for (; n < text->len && n < 18 && text->base[n] >= '0' && text->base[n] <= '9'; n++)
		time = time * 10 + (text->base[n] - '0');
	if (n == 0 || n == text->len || text->base[n] != '.')
		return false;
	*us = time;
	*text = (struct span){text->base + n + 1, text->len - n - 1};
	return true;
}

/*
 * A single time is that of the place. With two, the first is the time of young rows, which only lists with goes_back
 * have.
 */
static bool
take_times(struct list_cursor form, struct list_page *page, struct span *text)
{
	if (!take_time(text, &page->after_us))
		return false;
	if (form.goes_back && !page->descending) {
		int64_t first_us = page->after_us;

		if (take_time(text, &page->after_us))
			page->young_us = first_us;
	}
	return true;
}

bool
list_cursor_read(struct list_cursor form, struct list_page *page, const char *text)
{
	char raw[LIST_CURSOR_RAW_BYTES], id[OBJECT_ID_BYTES];
	struct span place;
	size_t len;

	assert(!form.of_names || !form.has_times);
	page->young_us = 0;
	if (!base64_decode((struct span){text, strlen(text)}, BASE64_URL, raw, sizeof raw, &len) || len < 3 ||
	    raw[0] != form.letter || raw[1] != order_letter(page->descending))
		return false;
	place = (struct span){raw + 2, len - 2};
	if (form.has_times && !take_times(form, page, &place))
		return false;
	if (form.of_names ? !text_is_tenant(place.base, place.len)
			  : !object_id_read(place, id) || place.len != strlen(id))
		return false;
	memcpy(page->after, place.base, place.len);
	page->after[place.len] = '\0';
	return true;
}
