/*
 * Topics and patterns of topics. A topic is segments separated by dots ("order.created"). In a pattern the segment `*`
 * matches exactly one segment, and `#` any number of them, even none; both may occur anywhere and repeatedly. Other
 * segments must not contain `*` or `#`, so that no one expects globbing.
 *
 * Pure: any process, any thread.
 */
#ifndef EVENT_TOPIC_H
#define EVENT_TOPIC_H

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

#define TOPIC_CHARS_MAX 255 /* characters, not bytes */
#define TOPIC_BYTES_MAX (4 * TOPIC_CHARS_MAX)
#define TOPIC_SEGMENTS_MAX 128 /* each has a character at least, with dots between */

/*
 * Checks a topic: UTF-8, 1 to TOPIC_CHARS_MAX characters, no empty segment, no `*` or `#`, no white space and no
 * control character. Returns 0, or -1 with a sentence that names the byte, counted from 0.
 */
int topic_check(struct span text, struct error *err);

/* The same for a pattern, in which whole segments may be `*` or `#`. */
int topic_pattern_check(struct span text, struct error *err);

/*
 * Whether the topic is reserved for the service itself: "hookline.endpoint.", "deliveries." and "hooks.". Clients may
 * not publish on it. A pattern matches it only if the pattern's first segment is the topic's, so that a subscription to
 * `#` does not receive the notices of its own failures. topic is valid.
 */
bool topic_of_service(struct span topic);

/*
 * Whether events on that topic are notices about endpoints and deliveries: "hookline.endpoint." and "deliveries.".
 * Deliveries of notices make no notices.
 */
bool topic_of_notices(struct span topic);

/*
 * Splits a valid topic or pattern into its segments, borrowed from text. Returns their number, 1 to TOPIC_SEGMENTS_MAX.
 */
unsigned topic_split(struct span text, struct span segments[TOPIC_SEGMENTS_MAX]);

#endif
