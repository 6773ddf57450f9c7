/*
 * The network guard where libcurl connects. Each test withdraws a permission after the target was checked, and sees
 * that no connection is made, and that a kept connection is not used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "courier/endpoint_config.h"
#include "courier/transfer.h"
#include "tests/unit/published_fixture.h"

static struct config config;
static struct transfer_env env;
static struct endpoint_config endpoint;
static struct transfer *transfer;
static struct record *event;
static struct resolver_answer answer;
static int listener, connections;
static pthread_t receiver;

/* Answers every request, one connection after the other, until the listener is shut down. */
static void *
receive(void *ignored)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	char bytes[8192];
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		__atomic_add_fetch(&connections, 1, __ATOMIC_SEQ_CST);
		while (recv(fd, bytes, sizeof bytes, 0) > 0)
			(void)!send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

static void
allow(const char *networks)
{
	assert_true(networks_read(networks, &env.allowed));
}

static int
set_up(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	connections = 0;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(pthread_create(&receiver, NULL, receive, NULL), 0);
	answer = (struct resolver_answer){.result = RESOLVER_KNOWN, .count = 1, .addresses = {{.ipv4 = address}}};
	endpoint = (struct endpoint_config){.url = mem_printf("http://a.example:%u/", ntohs(address.sin_port)),
	    .host = mem_strdup("a.example"),
	    .timeout_ms = 5000};
	env = (struct transfer_env){.config = &config, .maker = body_maker_new()};
	allow("loopback");
	event = published_record(&(struct published){.strings = {[PUBLISHED_TOPIC] = "t"}});
	transfer = transfer_new(&env);
	return 0;
}

static int
tear_down(void **state)
{
	transfer_free(transfer);
	body_maker_free(env.maker);
	free(event);
	free(endpoint.url);
	free(endpoint.host);
	(void)shutdown(listener, SHUT_RDWR);
	close(listener);
	return pthread_join(receiver, NULL);
}

/* Prepares an attempt up to the moment at which libcurl would get it. */
static void
begin(void)
{
	static const uint8_t attempt_id[16] = {1};
	struct attempt_spec spec = {.endpoint = &endpoint, .event = event, .number = 1};

	assert_int_equal(transfer_begin(transfer, &spec, attempt_id), TRANSFER_LOOK_UP);
	assert_int_equal(transfer_resolved(transfer, &answer), TRANSFER_READY);
	transfer_prepare(transfer);
}

static struct attempt_result
perform(void)
{
	struct attempt_result result;

	transfer_result(transfer, curl_easy_perform(transfer->easy), &result);
	transfer_clear(transfer);
	return result;
}

static void
test_an_allowed_address_is_connected_to_and_the_connection_is_kept(void **state)
{
	for (int i = 0; i < 3; i++) {
		begin();
		assert_int_equal(perform().http_status, 200);
	}
	assert_int_equal(__atomic_load_n(&connections, __ATOMIC_SEQ_CST), 1);
}

static void
test_an_address_is_checked_again_when_its_socket_is_made(void **state)
{
	struct attempt_result result;

	begin();
	allow(NULL);
	result = perform();
	assert_int_equal(result.end, ATTEMPT_GUARD);
	assert_non_null(strstr(result.error, "127.0.0.1"));
	assert_int_equal(__atomic_load_n(&connections, __ATOMIC_SEQ_CST), 0);
}

static void
test_a_kept_connection_is_checked_again_before_each_request(void **state)
{
	struct attempt_result result;

	begin();
	assert_int_equal(perform().http_status, 200);
	begin();
	allow(NULL);
	result = perform();
	assert_int_equal(result.end, ATTEMPT_GUARD);
	assert_int_equal(result.http_status, 0);
	assert_int_equal(__atomic_load_n(&connections, __ATOMIC_SEQ_CST), 1);
}

static void
test_addresses_of_both_families_are_checked(void **state)
{
	struct resolver_answer both = {.result = RESOLVER_KNOWN, .count = 2};

	both.addresses[0].ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	both.addresses[1] = answer.addresses[0];
	answer = both;
	begin();
	allow("127.0.0.1");
	assert_int_equal(perform().http_status, 200); /* the other one, which is checked first, was not reached */
	assert_true(transfer->end == ATTEMPT_GUARD && strstr(transfer->error, "::1") != NULL);
}

#define TRANSFER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TRANSFER_TEST(test_an_allowed_address_is_connected_to_and_the_connection_is_kept),
	    TRANSFER_TEST(test_an_address_is_checked_again_when_its_socket_is_made),
	    TRANSFER_TEST(test_a_kept_connection_is_checked_again_before_each_request),
	    TRANSFER_TEST(test_addresses_of_both_families_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
