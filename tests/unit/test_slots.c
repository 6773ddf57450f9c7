/* Words of a slot that one process writes while another one reads them, and the names of states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/slots.h"

#define READS 200000

/* Sets errors of different lengths, each of one repeated letter, until it is killed. */
static _Noreturn void
keep_failing(struct writer_slot *slot)
{
	char text[ERROR_TEXT_MAX];

	for (uint32_t i = 0;; i++) {
		size_t len = 1 + i * 37 % (sizeof text - 1);

		memset(text, 'a' + (int)(i % 26), len);
		text[len] = '\0';
		store_report_set_error(&slot->process.store, text);
	}
}

static void
test_an_error_is_read_whole_while_it_changes(void **state)
{
	struct writer_slot *slot = mmap(NULL, sizeof *slot, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t changes = 0;
	char last = '\0';

	assert_ptr_not_equal(slot, MAP_FAILED);
	pid_t writer = fork();
	if (writer == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also after a test that failed */
		keep_failing(slot);
	}
	for (int i = 0; i < READS || changes < 2; i++) { /* the writer may be late on a busy machine */
		char text[ERROR_TEXT_MAX];

		store_report_error(&slot->process.store, text);
		for (const char *c = text; *c != '\0'; c++)
			assert_int_equal(*c, text[0]);
		changes += text[0] != last;
		last = text[0];
	}

	/* A writer that is killed at any moment leaves a whole error. */
	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	char left[ERROR_TEXT_MAX], same[ERROR_TEXT_MAX];
	store_report_error(&slot->process.store, left);
	memset(same, left[0], sizeof same);
	assert_memory_equal(left, same, strlen(left));
	assert_int_equal(munmap(slot, sizeof *slot), 0);
}

static void
test_a_store_counts_as_tried_when_it_works_or_has_failed(void **state)
{
	static struct process_slot slot;

	slot_reset(&slot);
	assert_false(store_report_tried(&slot.store));
	store_report_set_error(&slot.store, "connection refused");
	assert_true(store_report_tried(&slot.store));
	slot_reset(&slot);
	assert_false(store_report_tried(&slot.store));
	store_report_set_state(&slot.store, STORE_READY);
	assert_true(store_report_tried(&slot.store));
}

static void
test_a_slot_is_empty_when_its_process_is_gone(void **state)
{
	static struct process_slot slot;

	slot_begin(&slot, 4711, 1234);
	assert_int_equal(slot_pid(&slot), 4711);
	assert_int_equal(slot_started_us(&slot), 1234);
	assert_int_equal(slot_state(&slot), PROCESS_STARTING);
	slot_end(&slot);
	assert_int_equal(slot_pid(&slot), 0);
	assert_int_equal(slot_state(&slot), PROCESS_DOWN);
}

static void
test_every_state_has_a_name(void **state)
{
	assert_string_equal(process_state_name(PROCESS_DRAINING), "draining");
	assert_string_equal(process_state_name(PROCESS_STATES), "unknown");
	assert_string_equal(store_state_name(STORE_UNAVAILABLE), "unavailable");
	assert_string_equal(store_state_name(UINT32_MAX), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_error_is_read_whole_while_it_changes),
	    cmocka_unit_test(test_a_store_counts_as_tried_when_it_works_or_has_failed),
	    cmocka_unit_test(test_a_slot_is_empty_when_its_process_is_gone),
	    cmocka_unit_test(test_every_state_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
