/* Keys of session tickets. Clients and servers of OpenSSL make handshakes over a pair of BIOs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/tickets.h"

#define HOUR_US ((int64_t)TICKET_SECONDS * 1000000)
#define BEGUN_US 1000

static struct tickets *tickets;
static EVP_PKEY *key;
static X509 *certificate;

static int
set_up(void **state)
{
	struct error err;

	key = EVP_EC_gen("P-256");
	certificate = X509_new();
	assert_true(X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL);
	assert_true(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	tickets = tickets_new(BEGUN_US, &err);
	assert_non_null(tickets);
	return 0;
}

static int
tear_down(void **state)
{
	tickets_free(tickets);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return 0;
}

/* The context of an acceptor. */
static SSL_CTX *
new_server(struct tickets *by)
{
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(server, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server, key), 1);
	(void)SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
	tickets_use(by, server);
	return server;
}

/*
 * Makes a handshake with that server, in which the client shows the ticket of *session, if there is one. Returns
 * whether the server accepted it. *session becomes the one that the server gives.
 */
static bool
is_resumed(SSL_CTX *server, int version, SSL_SESSION **session)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(context), *other = SSL_new(server);
	BIO *near, *far;
	bool done = false, resumed;
	char byte;

	assert_int_equal(BIO_new_bio_pair(&near, 0, &far, 0), 1);
	SSL_set_bio(client, near, near);
	SSL_set_bio(other, far, far);
	assert_int_equal(SSL_set_max_proto_version(client, version), 1);
	if (*session != NULL)
		assert_int_equal(SSL_set_session(client, *session), 1);
	for (int turn = 0; turn < 10 && !done; turn++) {
		bool near_done = SSL_connect(client) == 1, far_done = SSL_accept(other) == 1;

		done = near_done && far_done;
	}
	assert_true(done);
	assert_int_equal(SSL_version(client), version);
	assert_true(SSL_read(client, &byte, 1) < 0); /* reads the tickets of TLS 1.3 */
	resumed = SSL_session_reused(client);
	SSL_SESSION_free(*session);
	*session = SSL_get1_session(client);
	SSL_shutdown(client);
	SSL_free(client);
	SSL_free(other);
	SSL_CTX_free(context);
	return resumed;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void
a_ticket_of_one_acceptor_is_accepted_by_another(void **state)
{
	SSL_CTX *one = new_server(tickets), *another = new_server(tickets);

	for (size_t v = 0; v < 2; v++) {
		SSL_SESSION *session = NULL;

		assert_false(is_resumed(one, versions[v], &session));
		assert_true(is_resumed(another, versions[v], &session));
		assert_true(is_resumed(one, versions[v], &session));
		SSL_SESSION_free(session);
	}
	SSL_CTX_free(one);
	SSL_CTX_free(another);
}

static void
a_ticket_is_taken_across_one_change_of_the_key_and_not_across_two(void **state)
{
	SSL_CTX *server = new_server(tickets);

	for (size_t v = 0; v < 2; v++) {
		SSL_SESSION *session = NULL, *old;
		int64_t now_us = BEGUN_US + (int64_t)(v * 10) * HOUR_US;

		tickets_rotate(tickets, now_us);
		assert_false(is_resumed(server, versions[v], &session));
		old = SSL_SESSION_dup(session);
		tickets_rotate(tickets, now_us + HOUR_US);
		assert_true(is_resumed(server, versions[v], &session));
		/* The old ticket was replaced by one with the new key. */
		tickets_rotate(tickets, now_us + 2 * HOUR_US);
		assert_true(is_resumed(server, versions[v], &session));
		assert_false(is_resumed(server, versions[v], &old));
		SSL_SESSION_free(session);
		SSL_SESSION_free(old);
	}
	SSL_CTX_free(server);
}

static void
the_key_is_not_changed_within_an_hour(void **state)
{
	SSL_CTX *server = new_server(tickets);
	SSL_SESSION *session = NULL;

	assert_false(is_resumed(server, TLS1_3_VERSION, &session));
	for (int i = 0; i < 5; i++)
		tickets_rotate(tickets, BEGUN_US + HOUR_US - 1);
	assert_true(is_resumed(server, TLS1_3_VERSION, &session));
	SSL_SESSION_free(session);
	SSL_CTX_free(server);
}

static void
a_new_key_of_one_process_holds_for_another(void **state)
{
	SSL_CTX *server = new_server(tickets);
	SSL_SESSION *session = NULL;
	int status;
	pid_t child;

	assert_false(is_resumed(server, TLS1_2_VERSION, &session));
	child = fork();
	if (child == 0) {
		for (int hour = 1; hour <= 2; hour++)
			tickets_rotate(tickets, BEGUN_US + hour * HOUR_US);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(is_resumed(server, TLS1_2_VERSION, &session));
	SSL_SESSION_free(session);
	SSL_CTX_free(server);
}

static void
tickets_of_another_service_are_refused(void **state)
{
	struct error err;
	struct tickets *others = tickets_new(BEGUN_US, &err);
	SSL_CTX *server = new_server(tickets), *other = new_server(others);
	SSL_SESSION *session = NULL;

	assert_false(is_resumed(other, TLS1_3_VERSION, &session));
	assert_false(is_resumed(server, TLS1_3_VERSION, &session));
	SSL_SESSION_free(session);
	SSL_CTX_free(server);
	SSL_CTX_free(other);
	tickets_free(others);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_ticket_of_one_acceptor_is_accepted_by_another, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_ticket_is_taken_across_one_change_of_the_key_and_not_across_two, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_key_is_not_changed_within_an_hour, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_new_key_of_one_process_holds_for_another, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(tickets_of_another_service_are_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
