/* POST /v1/admin/compact: has upkeep remove old rows now. Worker threads. */
#ifndef CONTROL_COMPACTION_H
#define CONTROL_COMPACTION_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "control/request.h"

request_handler compact;

/* The last run, for /v1/admin/stats, in *tree, which the caller owns. Returns as db_query(). */
int compaction_show(const struct request *request, cJSON **tree, struct error *err);

#endif
