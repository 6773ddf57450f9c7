/*
 * Checks that deliveries can leave this machine: looks up an endpoint's name as couriers do, asks the guard about its
 * addresses, and connects, with TLS for https. Sends nothing on the connection. Uses no proxy, like deliveries. Shows
 * only the host of a URL, which is a credential.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "api/network_guard.h"
#include "api/target_url.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "cli/doctor.h"
#include "store/webhooks/overview.h"
#include "store/webhooks_store.h"

#define CONNECT_MS 5000L
#define STATEMENT_MS 4000

/* The URL of an endpoint, to be released by free(); NULL: there is none, or deliveries.store reports why. */
static char *
find_target(const struct doctor *doctor)
{
	static const struct db_env env = {0};
	struct config config = *doctor->config;
	struct db_rows *rows = NULL;
	struct db *db = NULL;
	struct error err;
	char *url = NULL;

	if (!config_api_is_on(&config) ||
	    (config.hl_store == HL_STORE_EMBEDDED && access(config.hl_data_path, F_OK) != 0))
		return NULL;
	if (config.store_timeout_ms > STATEMENT_MS)
		config.store_timeout_ms = STATEMENT_MS;
	if (db_open_to_look(&db, &config, &env, &err) != 0)
		return NULL;
	if (overview_target(db, &rows, &err) == 0 && db_rows_count(rows) > 0)
		url = mem_strdup(db_rows_text(rows, 0, 0).base);
	db_rows_free(rows);
	db_close(db);
	return url;
}

static void
add_address(struct bytes *list, const struct sockaddr *address, socklen_t len)
{
	char text[NI_MAXHOST];

	if (getnameinfo(address, len, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
		return;
	bytes_add_text(list, list->len > 0 ? "," : "");
	bytes_add_text(list, text);
}

/* Looks the name up, and collects its addresses that the guard allows. Returns whether there are any. */
static bool
find_addresses(const struct doctor *doctor, const struct target_url *target, struct bytes *allowed)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct bytes refused = {0};
	struct networks networks;
	int count = 0, code = getaddrinfo(target->host, NULL, &hints, &found);

	if (code != 0) {
		doctor_fail(doctor->out, CHECK_NETWORK_NAMES,
		    "look at /etc/resolv.conf, and at what DNS says of the name", "%s cannot be resolved: %s",
		    target->host, gai_strerror(code));
		return false;
	}
	(void)networks_read(doctor->config->hl_allow_networks, &networks);
	for (const struct addrinfo *one = found; one != NULL; one = one->ai_next, count++)
		add_address(
		    network_allowed(&networks, one->ai_addr) ? allowed : &refused, one->ai_addr, one->ai_addrlen);
	freeaddrinfo(found);
	bytes_add(allowed, "", 1);
	bytes_add(&refused, "", 1);
	doctor_ok(doctor->out, CHECK_NETWORK_NAMES, "%s has %d addresses", target->host, count);
	if (allowed->len > 1)
		doctor_ok(doctor->out, CHECK_NETWORK_GUARD, "requests may go to %s", allowed->base);
	else
		doctor_fail(doctor->out, CHECK_NETWORK_GUARD, "name the network in HL_ALLOW_NETWORKS, if it is meant",
		    "%s is at %s only, where no request may go", target->host, refused.base);
	bytes_free(&refused);
	return allowed->len > 1;
}

static void
connect_to(const struct doctor *doctor, const struct target_url *target, const char *addresses)
{
	bool proxied = getenv("HTTPS_PROXY") != NULL || getenv("https_proxy") != NULL;
	char *url = mem_printf("%s://%s%s%s:%u/", target->https ? "https" : "http", target->is_ipv6 ? "[" : "",
	    target->host, target->is_ipv6 ? "]" : "", target->port);
	char *pin = mem_printf("%s:%u:%s", target->host, target->port, addresses);
	char reason[CURL_ERROR_SIZE] = "";
	struct curl_slist *pins = curl_slist_append(NULL, pin);
	CURL *curl = curl_easy_init();

	if (curl == NULL || pins == NULL)
		mem_none(0);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	if (!target->is_address)
		(void)curl_easy_setopt(curl, CURLOPT_RESOLVE, pins);
	if (getenv("SSL_CERT_FILE") != NULL)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
	(void)curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		doctor_ok(doctor->out, CHECK_NETWORK_CONNECTION, "%s port %u takes connections%s", target->host,
		    target->port, target->https ? ", and its certificate is good" : "");
	else
		doctor_fail(doctor->out, CHECK_NETWORK_CONNECTION,
		    proxied ? "let this machine out directly: deliveries use no proxy, and HTTPS_PROXY has no effect "
			      "on them"
			    : "look at firewalls, at the receiver, and at SSL_CERT_FILE for private authorities",
		    "%s port %u: %s", target->host, target->port,
		    reason[0] != '\0' ? reason : curl_easy_strerror(code));
	curl_easy_cleanup(curl);
	curl_slist_free_all(pins);
	free(url);
	free(pin);
}

void
doctor_network(const struct doctor *doctor)
{
	char *found = doctor->offline || doctor->probe != NULL ? NULL : find_target(doctor);
	const char *url = doctor->probe != NULL ? doctor->probe : found;
	struct target_url target;
	struct bytes addresses = {0};
	struct error err;

	if (url == NULL)
		return;
	if (target_url_split((struct span){url, strlen(url)}, &target, &err) != 0)
		doctor_fail(doctor->out, CHECK_NETWORK_NAMES, "give --probe a URL as an endpoint has it", "the URL %s",
		    err.text);
	else if (doctor->probe == NULL && target_url_is_inbox(&target, doctor->config->hl_public_url))
		doctor_ok(doctor->out, CHECK_NETWORK_NAMES, "the endpoint is the service's own inbox");
	else if (find_addresses(doctor, &target, &addresses))
		connect_to(doctor, &target, addresses.base);
	bytes_free(&addresses);
	free(found);
}
