/*
 * Topics and patterns of topics. A topic is segments between dots ("order.created"). In a pattern the segment `*`
 * stands for exactly one segment and `#` for any number of them, none included; both may stand at any place, any number
 * of times. A segment that merely holds one of them among other characters is refused, so that nobody takes it for a
 * glob.
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
#define TOPIC_SEGMENTS_MAX 128 /* each has a character, and there is a dot between two */

/*
 * Whether text is a topic: UTF-8, 1 to TOPIC_CHARS_MAX characters, no empty segment, no `*` or `#`, no white space and
 * no control character. Returns 0, or -1 with a sentence that names the byte, counted from 0.
 */
int topic_check(struct span text, struct error *err);

/* The same for a pattern, in which whole segments may be `*` or `#`. */
int topic_pattern_check(struct span text, struct error *err);

/*
 * Whether the service itself publishes on that topic: on "hookline.endpoint.", "deliveries." and "hooks.". Clients may
 * not, and a pattern matches such a topic only if the pattern's first segment is the topic's, so that a `#` does not
 * get the notice of its own failure. topic is one.
 */
bool topic_of_service(struct span topic);

/*
 * Whether an event of that topic tells what became of endpoints and deliveries: "hookline.endpoint." and "deliveries.".
 * What becomes of its own deliveries is told by no event.
 */
bool topic_of_notices(struct span topic);

/*
 * Splits a topic or a pattern that was checked into its segments, which are borrowed from text. Returns how many there
 * are, 1 to TOPIC_SEGMENTS_MAX.
 */
unsigned topic_split(struct span text, struct span segments[TOPIC_SEGMENTS_MAX]);

#endif
