/* Frames of server-sent events. */
#ifndef CONTROL_STREAM_FRAME_H
#define CONTROL_STREAM_FRAME_H

#include <cjson/cJSON.h>

#include "base/bytes.h"

/* Appends the tree as the data of a frame, and its end. Takes the tree. */
void stream_add_data(struct bytes *out, cJSON *tree);

#endif
