/* The state is one atomic word; the error is a shared_text. */
#include "shm/store_report.h"

#include <ck_pr.h>

#define X(symbol, name) name,
static const char *const names[STORE_STATES] = {STORE_STATE_LIST(X)};
#undef X

const char *
store_state_name(uint32_t state)
{
	return state < STORE_STATES ? names[state] : "unknown";
}

enum store_state
store_report_state(const struct store_report *report)
{
	return ck_pr_load_32(&report->state);
}

void
store_report_set_state(struct store_report *report, enum store_state state)
{
	ck_pr_store_32(&report->state, state);
}

void
store_report_error(const struct store_report *report, char out[ERROR_TEXT_MAX])
{
	shared_text_read(&report->error, out);
}

void
store_report_set_error(struct store_report *report, const char *text)
{
	shared_text_write(&report->error, text);
}

bool
store_report_tried(const struct store_report *report)
{
	char error[ERROR_TEXT_MAX];

	store_report_error(report, error);
	return store_report_state(report) != STORE_CONNECTING || error[0] != '\0';
}
