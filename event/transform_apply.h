/*
 * Applies a transform to an event by editing its text (event/json_edit.h): untouched parts are copied byte for byte.
 * Each level of objects on a path is scanned once; the event is copied once.
 */
#ifndef EVENT_TRANSFORM_APPLY_H
#define EVENT_TRANSFORM_APPLY_H

#include "base/span.h"
#include "event/json_edit.h"
#include "event/transform.h"

/* The result has at most this many bytes more than the event. */
#define TRANSFORM_GROWTH_MAX (4 * RULE_BYTES_MAX)

/*
 * Returns the transformed event: text itself if nothing changed, else bytes of edit, valid until the next call. text is
 * JSON that passed the scanner; anything but an object is left unchanged. Pure except for edit, which belongs to one
 * thread.
 */
struct span transform_apply(const struct transform *transform, struct span text, struct json_edit *edit);

#endif
