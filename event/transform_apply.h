/*
 * Applies a transform to an event, by edits of its text (event/json_edit.h): what the transform does not touch is
 * copied byte for byte. The event is scanned once for each level of objects that paths lead through, and copied once.
 */
#ifndef EVENT_TRANSFORM_APPLY_H
#define EVENT_TRANSFORM_APPLY_H

#include "base/span.h"
#include "event/json_edit.h"
#include "event/transform.h"

/* What comes out has at most this many bytes more than what goes in. */
#define TRANSFORM_GROWTH_MAX (4 * RULE_BYTES_MAX)

/*
 * Returns the event as the transform makes it: text itself if nothing is changed, else bytes of edit that stay until
 * the next call. text is JSON that passed the scanner; what is no object is not changed. Pure but for edit, which is of
 * one thread.
 */
struct span transform_apply(const struct transform *transform, struct span text, struct json_edit *edit);

#endif
