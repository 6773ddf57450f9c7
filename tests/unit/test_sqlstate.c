/* Whether a SQLSTATE blames a row, blames the store, or leaves it open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres/sqlstate.h"

static void
test_each_sqlstate_blames_the_row_or_the_store(void **state)
{
	static const struct {
		struct pg_refusal refusal;
		enum refusal_cause cause;
	} cases[] = {
	    {{"22003"}, CAUSE_ROW}, /* numeric value out of range */
	    {{"22P05"}, CAUSE_ROW}, /* untranslatable character */
	    {{"23502"}, CAUSE_ROW}, /* not null */
	    {{"23P01"}, CAUSE_ROW}, /* exclusion */
	    {{"54000"}, CAUSE_ROW},
	    {{"P0001"}, CAUSE_ROW},
	    {{"23505"}, CAUSE_DUPLICATE},
	    {{"40P01"}, CAUSE_RACE},
	    {{"40001"}, CAUSE_RACE},
	    {{"08P01"}, CAUSE_STORE},
	    {{"25006"}, CAUSE_STORE}, /* read only */
	    {{"53100"}, CAUSE_STORE}, /* disk full */
	    {{"55P03"}, CAUSE_STORE}, /* lock not available */
	    {{"57P01"}, CAUSE_STORE}, /* shutting down */
	    {{"57014"}, CAUSE_STORE}, /* cancelled */
	    {{"58030"}, CAUSE_STORE}, /* I/O error */
	    {{"XX001"}, CAUSE_STORE},
	    {{""}, CAUSE_STORE},
	    {{"42P01"}, CAUSE_UNCLEAR}, /* no such table: hooksd's own, or one in a trigger */
	    {{"42501"}, CAUSE_UNCLEAR},
	    {{"44000"}, CAUSE_ROW}, /* a view's condition */
	    {{"45000"}, CAUSE_ROW}, /* raised by a trigger */
	    {{"23514", .constraint = "positive", .table = "hook_events_2026_11"}, CAUSE_ROW},
	    {{"23514", .table = "hook_events"}, CAUSE_PARTITION}, /* no partition of relation ... found for row */
	    {{"23514"}, CAUSE_PARTITION}, /* the same, or a CHECK, by way of Citus */
	    {{"23514", .table = "hook_events_default"}, CAUSE_PARTITION}, /* a row on its way to another partition */
	    {{"23502", .table = "hook_events_2026_11", .column = "workflow_id"}, CAUSE_ROW},
	    {{"23502", .table = "hook_events_2026_11", .column = "phase"}, CAUSE_UNCLEAR}, /* not hooksd's column */
	    {{"23502", .table = "hook_events_2026_11", .column = "region"}, CAUSE_UNCLEAR},
	    {{"XX000"}, CAUSE_UNCLEAR},
	    {{"0A000"}, CAUSE_UNCLEAR},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(sqlstate_cause(&cases[i].refusal), cases[i].cause);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_sqlstate_blames_the_row_or_the_store)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
