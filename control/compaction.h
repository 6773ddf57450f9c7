/* POST /v1/admin/compact: what upkeep removes by itself when it is old is removed now. Worker threads. */
#ifndef CONTROL_COMPACTION_H
#define CONTROL_COMPACTION_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "control/request.h"

request_handler compact;

/* What /v1/admin/stats tells of the last run, in *tree, which the caller owns. Returns as db_query(). */
int compaction_show(const struct request *request, cJSON **tree, struct error *err);

#endif
