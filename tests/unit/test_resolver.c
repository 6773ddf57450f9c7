/* Which name is looked up next. Lookups and clock are the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "courier/resolver.h"

#define SECOND_US INT64_C(1000000)
#define LOOKUPS_MOST 200u
#define DEAD 10u

/* The lookups in the order in which they began. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char begun[LOOKUPS_MOST][64];
static bool ends[LOOKUPS_MOST];
static uint32_t begun_count, ended_count, returned_count;
static int64_t now_us = 1000 * SECOND_US;

static struct resolver *resolver;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t us = __atomic_load_n(&now_us, __ATOMIC_SEQ_CST);

	(void)id;
	*ts = (struct timespec){.tv_sec = us / SECOND_US, .tv_nsec = us % SECOND_US * 1000};
	return 0;
}

static void
pass(int64_t us)
{
	(void)__atomic_add_fetch(&now_us, us, __ATOMIC_SEQ_CST);
}

/* The answer for known.example, whose name server may be away. */
static struct sockaddr_in known = {.sin_family = AF_INET};
static struct addrinfo known_list = {
    .ai_family = AF_INET, .ai_addrlen = sizeof known, .ai_addr = (struct sockaddr *)&known};
static bool away;

/* Replaces the C library's. No name server answers, except for known.example. */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	uint32_t number;

	(void)service, (void)hints;
	if (strcmp(name, "known.example") == 0) {
		*found = &known_list;
		return away ? EAI_AGAIN : 0;
	}
	pthread_mutex_lock(&lock);
	number = begun_count++;
	(void)snprintf(begun[number], sizeof begun[number], "%s", name);
	(void)pthread_cond_broadcast(&changed);
	while (!ends[number])
		(void)pthread_cond_wait(&changed, &lock);
	returned_count++;
	(void)pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return EAI_AGAIN;
}

void
freeaddrinfo(struct addrinfo *found)
{
	(void)found;
}

/* Waits until `count` lookups have begun since the test began. */
static void
await_begun(uint32_t count)
{
	pthread_mutex_lock(&lock);
	while (begun_count < count)
		(void)pthread_cond_wait(&changed, &lock);
	assert_int_equal(begun_count, count);
	pthread_mutex_unlock(&lock);
}

/* Ends the oldest lookup under way, after two seconds. */
static void
end_one(void)
{
	struct pollfd fd = {.fd = resolver_fd(resolver), .events = POLLIN};

	pass(2 * SECOND_US);
	pthread_mutex_lock(&lock);
	ends[ended_count++] = true;
	(void)pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	assert_int_equal(poll(&fd, 1, 10000), 1);
	resolver_run(resolver);
}

static void
ask(const char *kind, uint32_t number)
{
	char host[64];

	(void)snprintf(host, sizeof host, "%s%u.shared.example", kind, (unsigned)number);
	assert_int_equal(resolver_ask(resolver, host, true)->result, RESOLVER_UNKNOWN);
}

/*
 * Several receivers share a suffix, under which ten names have no name server. Two lookups of these names are under
 * way.
 */
static int
set_up(void **state)
{
	struct error err;

	begun_count = ended_count = returned_count = 0;
	memset(ends, 0, sizeof ends);
	assert_int_equal(resolver_open(&resolver, &err), 0);
	for (uint32_t i = 0; i < DEAD; i++)
		ask("dead", i);
	while (ended_count < DEAD) {
		await_begun(ended_count + 2 < DEAD ? ended_count + 2 : DEAD);
		end_one();
	}
	pass(10 * SECOND_US); /* so that the answers for them are old */
	for (uint32_t i = 0; i < DEAD; i++)
		ask("dead", i);
	await_begun(DEAD + 2);
	return 0;
}

static int
tear_down(void **state)
{
	resolver_close(resolver);
	pthread_mutex_lock(&lock);
	memset(ends, 1, sizeof ends);
	(void)pthread_cond_broadcast(&changed);
	while (returned_count < begun_count)
		(void)pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void
test_a_new_name_is_looked_up_before_dead_ones(void **state)
{
	ask("new", 0);
	end_one();
	await_begun(DEAD + 3);
	assert_string_equal(begun[DEAD + 2], "new0.shared.example");
}

static void
test_every_second_lookup_is_of_an_older_name(void **state)
{
	static const char *const expected[] = {"new", "dead", "new", "dead", "new"};

	for (uint32_t i = 0; i < DEAD; i++)
		ask("new", i);
	for (uint32_t i = 0; i < 5; i++) {
		end_one();
		await_begun(DEAD + 3 + i);
		assert_memory_equal(begun[DEAD + 2 + i], expected[i], 3);
	}
}

static int
set_up_alone(void **state)
{
	struct error err;

	begun_count = ended_count = returned_count = 0;
	away = false;
	return resolver_open(&resolver, &err);
}

/* Asks for the name. Returns the last byte of its address; 0: none is known. */
static uint32_t
address(bool waited)
{
	const struct resolver_answer *answer = resolver_ask(resolver, "known.example", waited);

	return answer == NULL || answer->count == 0 ? 0 : ntohl(answer->addresses[0].ipv4.sin_addr.s_addr);
}

/* Waits for the answer to the lookup that is under way. */
static void
await_answer(void)
{
	struct pollfd fd = {.fd = resolver_fd(resolver), .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 10000), 1);
	resolver_run(resolver);
}

static void
test_a_changed_address_is_used_within_a_minute(void **state)
{
	known.sin_addr.s_addr = htonl(1);
	assert_int_equal(address(false), 0);
	await_answer();
	assert_int_equal(address(false), 1);
	known.sin_addr.s_addr = htonl(2);
	pass(29 * SECOND_US);
	assert_int_equal(address(false), 1);
	pass(2 * SECOND_US);
	assert_int_equal(address(false), 1); /* begins a lookup and does not wait for it */
	await_answer();
	assert_int_equal(address(false), 2);
	pass(61 * SECOND_US);
	assert_int_equal(address(false), 0); /* too old: the caller has to wait for a lookup */
	await_answer();
	assert_int_equal(address(false), 2);
}

static void
test_addresses_are_used_for_five_minutes_while_name_servers_are_away(void **state)
{
	known.sin_addr.s_addr = htonl(1);
	(void)address(false);
	await_answer();
	away = true;
	for (int minute = 1; minute < 5; minute++) {
		pass(60 * SECOND_US);
		(void)address(false);
		await_answer();
		assert_int_equal(address(true), 1);
	}
	pass(61 * SECOND_US);
	assert_int_equal(address(true), 0);
	await_answer();
	assert_int_equal(address(true), 0);
	away = false;
	pass(6 * SECOND_US);
	(void)address(false);
	await_answer();
	assert_int_equal(address(false), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_new_name_is_looked_up_before_dead_ones, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_every_second_lookup_is_of_an_older_name, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_changed_address_is_used_within_a_minute, set_up_alone, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_addresses_are_used_for_five_minutes_while_name_servers_are_away, set_up_alone, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
