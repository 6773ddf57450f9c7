/*
 * GET /v1/admin/stats: figures of the installation or of one tenant; with ?top=N also the lists of
 * control/admin_top.h.
 */
#ifndef CONTROL_ADMIN_STATS_H
#define CONTROL_ADMIN_STATS_H

#include "control/request.h"

request_handler admin_stats;

#endif
