/* Who is to blame for an SQLSTATE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres/sqlstate.h"

static void
test_refusals(void **state)
{
	static const struct {
		struct pg_refusal said;
		enum refusal refusal;
	} cases[] = {
	    {{"22003"}, REFUSAL_ROW}, /* numeric value out of range */
	    {{"22P05"}, REFUSAL_ROW}, /* untranslatable character */
	    {{"23502"}, REFUSAL_ROW}, /* not null */
	    {{"23P01"}, REFUSAL_ROW}, /* exclusion */
	    {{"54000"}, REFUSAL_ROW},
	    {{"P0001"}, REFUSAL_ROW},
	    {{"23505"}, REFUSAL_DUPLICATE},
	    {{"40P01"}, REFUSAL_RACE},
	    {{"40001"}, REFUSAL_RACE},
	    {{"08P01"}, REFUSAL_STORE},
	    {{"25006"}, REFUSAL_STORE}, /* read only */
	    {{"53100"}, REFUSAL_STORE}, /* disk full */
	    {{"55P03"}, REFUSAL_STORE}, /* lock not available */
	    {{"57P01"}, REFUSAL_STORE}, /* shutting down */
	    {{"57014"}, REFUSAL_STORE}, /* cancelled */
	    {{"58030"}, REFUSAL_STORE}, /* I/O error */
	    {{"XX001"}, REFUSAL_STORE},
	    {{""}, REFUSAL_STORE},
	    {{"42P01"}, REFUSAL_UNCLEAR}, /* no such table: ours, or one in a trigger */
	    {{"42501"}, REFUSAL_UNCLEAR},
	    {{"44000"}, REFUSAL_ROW}, /* a view's condition */
	    {{"45000"}, REFUSAL_ROW}, /* made up by a trigger */
	    {{"23514", .constraint = "positive", .table = "hook_events_2026_11"}, REFUSAL_ROW},
	    {{"23514", .table = "hook_events"}, REFUSAL_MONTH}, /* no partition of relation ... found for row */
	    {{"23514"}, REFUSAL_MONTH}, /* the same, or a CHECK, by way of Citus */
	    {{"23514", .table = "hook_events_default"}, REFUSAL_MONTH}, /* on its way to another partition */
	    {{"23502", .table = "hook_events_2026_11", .column = "workflow_id"}, REFUSAL_ROW},
	    {{"23502", .table = "hook_events_2026_11", .column = "phase"}, REFUSAL_UNCLEAR}, /* not hooksd's column */
	    {{"23502", .table = "hook_events_2026_11", .column = "region"}, REFUSAL_UNCLEAR},
	    {{"XX000"}, REFUSAL_UNCLEAR},
	    {{"0A000"}, REFUSAL_UNCLEAR},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(refusal_of(&cases[i].said), cases[i].refusal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
