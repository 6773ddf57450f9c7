/* Asking for a file's size takes microseconds, and the store is not involved. */
#include "control/store_log.h"

#include "base/log.h"
#include "shm/counters.h"
#include "store/webhooks_store.h"

#define LOOK_US (1000 * 1000)
/*
 * Without a long reader's transaction the log is not larger than this (journal_size_limit:
 * store/sqlite/sqlite_session.c).
 */
#define LARGE_BYTES ((uint64_t)64 << 20)

void
store_log_look(struct store_log *watch, const struct config *config, struct process_slot *slot, int64_t now_us)
{
	uint64_t bytes, times;

	if (now_us < watch->look_us)
		return;
	watch->look_us = now_us + LOOK_US;
	bytes = webhooks_store_log_bytes(config);
	level_set(slot, LEVEL_EMBEDDED_LOG, bytes);
	if (bytes > LARGE_BYTES && (times = repeat_met(&watch->large, now_us)) > 0)
		log_warning("the write-ahead log of the embedded store grows: a program keeps a transaction open",
		    LOG_STR("path", config->hl_data_path), LOG_UINT("bytes", bytes), LOG_UINT("times", times));
	else if (bytes <= LARGE_BYTES && (times = repeat_over(&watch->large, now_us)) > 0)
		log_info("the write-ahead log of the embedded store is small again", LOG_UINT("bytes", bytes));
}
