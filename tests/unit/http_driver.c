/*
 * A program for tests in another language (tests/e2e/harness/http_driver.py) that uses the courier's HTTP client. Each
 * line of standard input is a JSON object:
 *
 *   {"url", "count", "parallel", "timeout_ms", "payload", "headers", "secret", "old_secret", "old_secret_until_ms",
 *    "keep_response", "legacy_headers", "fail_fast", "body", "transform", "topic", "traceparent", "cancel_after_ms"}
 *
 * Only url is required. The program makes `count` attempts, at most `parallel` at a time, and prints one line: a JSON
 * list of their results. HL_ALLOW_NETWORKS, HL_DEV_INBOX, HL_PUBLIC_URL, HOST and PORT are the configuration.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "courier/endpoint_config.h"
#include "courier/http.h"
#include "courier/verdict.h"
#include "event/transform.h"
#include "tests/unit/published_fixture.h"

struct run {
	struct http *http;
	struct endpoint_config endpoint;
	struct attempt_spec spec;
	uint32_t begun, done, count;
	cJSON *results;
};

static const char *
text_of(const cJSON *object, const char *name, const char *otherwise)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));

	return text != NULL ? text : otherwise;
}

static uint32_t
number_of(const cJSON *object, const char *name, uint32_t otherwise)
{
	const cJSON *number = cJSON_GetObjectItem(object, name);

	return cJSON_IsNumber(number) ? (uint32_t)cJSON_GetNumberValue(number) : otherwise;
}

static bool
flag_of(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItem(object, name));
}

static void
begin(struct run *run)
{
	run->spec.context = run;
	run->spec.job_id[15] = (uint8_t)(1 + run->begun++ % 200);
	http_begin(run->http, &run->spec);
}

static cJSON *
result_of(const struct attempt_result *result, const struct endpoint_config *endpoint)
{
	static const char *const ends[] = {"answered", "failed", "guard", "ours", "transform", "unresolved"};
	static const char *const directives[] = {"none", "disable", "abort"};
	static const char *const kinds[] = {"delivered", "retry", "dead"};
	struct verdict verdict = verdict_of(result, endpoint, 1, 0);
	char id[FORMAT_UUID_BYTES + 1] = "";
	cJSON *json = cJSON_CreateObject();

	format_uuid(result->attempt_id, id);
	(void)cJSON_AddStringToObject(json, "attempt_id", id);
	(void)cJSON_AddStringToObject(json, "end", ends[result->end]);
	(void)cJSON_AddStringToObject(json, "directive", directives[result->directive]);
	(void)cJSON_AddNumberToObject(json, "http_status", result->http_status);
	(void)cJSON_AddNumberToObject(json, "retry_after_ms", (double)result->retry_after_ms);
	(void)cJSON_AddNumberToObject(json, "started_us", (double)result->started_us);
	(void)cJSON_AddNumberToObject(json, "duration_ms", result->duration_ms);
	(void)cJSON_AddNumberToObject(json, "dns_ms", result->dns_ms);
	(void)cJSON_AddNumberToObject(json, "connect_ms", result->connect_ms);
	(void)cJSON_AddNumberToObject(json, "tls_ms", result->tls_ms);
	(void)cJSON_AddNumberToObject(json, "first_byte_ms", result->first_byte_ms);
	(void)cJSON_AddStringToObject(json, "peer", result->peer);
	(void)cJSON_AddStringToObject(json, "error", result->error);
	(void)cJSON_AddStringToObject(json, "certificate_error", result->certificate_error);
	(void)cJSON_AddStringToObject(json, "response", result->response);
	(void)cJSON_AddStringToObject(json, "verdict", kinds[verdict.kind]);
	(void)cJSON_AddBoolToObject(json, "charged", verdict.charged);
	(void)cJSON_AddStringToObject(json, "reason", verdict.reason);
	return json;
}

static void
done(void *context, void *attempt_context, const struct attempt_result *result)
{
	struct run *run = attempt_context;

	cJSON_AddItemToArray(run->results, result_of(result, &run->endpoint));
	run->done++;
	if (run->begun < run->count)
		begin(run);
}

static struct bytes
bytes_of(const char *text)
{
	struct bytes bytes = {0};

	bytes_add_text(&bytes, text);
	return bytes;
}

static void
read_endpoint(struct endpoint_config *endpoint, const cJSON *command)
{
	static const char *const bodies[] = {"envelope", "event", "payload"};
	const char *url = text_of(command, "url", ""), *host = strstr(url, "://");
	size_t len = host == NULL ? 0 : strcspn(host + 3, "/:?");

	*endpoint = (struct endpoint_config){
	    .tenant_id = mem_strdup("default"),
	    .url = mem_strdup(url),
	    .host = mem_printf("%.*s", (int)len, host != NULL ? host + 3 : ""),
	    .secret = bytes_of(text_of(command, "secret", "a secret of the test's own")),
	    .old_secret = bytes_of(text_of(command, "old_secret", "")),
	    .old_secret_until_ms = cJSON_HasObjectItem(command, "old_secret") ? INT64_MAX : 0,
	    .headers = bytes_of(text_of(command, "headers", "")),
	    .enabled = true,
	    .fail_fast = !cJSON_IsFalse(cJSON_GetObjectItem(command, "fail_fast")),
	    .keep_response = flag_of(command, "keep_response"),
	    .legacy_headers = flag_of(command, "legacy_headers"),
	    .timeout_ms = number_of(command, "timeout_ms", 5000),
	    .waits_ms = {1000, 2000},
	    .waits = 2,
	};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		if (strcmp(text_of(command, "body", "envelope"), bodies[i]) == 0)
			endpoint->body = (enum endpoint_body)i;
}

static void
free_endpoint(struct endpoint_config *endpoint)
{
	free(endpoint->tenant_id);
	free(endpoint->url);
	free(endpoint->host);
	bytes_free(&endpoint->secret);
	bytes_free(&endpoint->old_secret);
	bytes_free(&endpoint->headers);
}

static void
make_attempts(struct run *run, const cJSON *command)
{
	uint32_t parallel = number_of(command, "parallel", 1), cancel_ms = number_of(command, "cancel_after_ms", 0);
	int64_t cancel_us = cancel_ms > 0 ? clock_steady_us() + cancel_ms * INT64_C(1000) : INT64_MAX;

	run->count = number_of(command, "count", 1);
	while (run->begun < run->count && run->begun < parallel)
		begin(run);
	while (run->done < run->count) {
		struct pollfd poll_fd = {.fd = http_fd(run->http), .events = POLLIN};
		int32_t most_ms = cancel_ms > 0 ? 10 : 60000;
		int32_t wait_ms = clock_wait_ms(http_due_us(run->http), clock_steady_us(), most_ms);

		if (poll(&poll_fd, 1, wait_ms) == 0 && wait_ms == 60000) {
			(void)fprintf(stderr, "%u attempts hang\n", run->begun - run->done);
			abort();
		}
		http_run(run->http);
		if (clock_steady_us() < cancel_us)
			continue;
		if (!flag_of(command, "one_by_one"))
			http_cancel(run->http);
		while (run->done < run->begun)
			http_cut(run->http, run);
	}
}

static void
obey(struct http *http, const cJSON *command)
{
	struct published published = {.payload = text_of(command, "payload", "{\"a\":1}"),
	    .occurred_us = 1000,
	    .received_us = 2000,
	    .strings = {[PUBLISHED_TOPIC] = text_of(command, "topic", "order.created"),
		[PUBLISHED_TRACEPARENT] = text_of(command, "traceparent", NULL)}};
	const char *transform = text_of(command, "transform", NULL);
	struct record *event = published_record(&published);
	struct run run = {.http = http, .results = cJSON_CreateArray()};
	struct transform read = {0};
	struct error err;
	char *text;

	read_endpoint(&run.endpoint, command);
	run.spec = (struct attempt_spec){.endpoint = &run.endpoint, .event = event, .number = 1};
	if (transform != NULL && transform_parse((struct span){transform, strlen(transform)}, &read, &err) < 0)
		abort();
	if (transform != NULL)
		run.spec.transform = &read;
	make_attempts(&run, command);
	text = cJSON_PrintUnformatted(run.results);
	(void)printf("%s\n", text);
	(void)fflush(stdout);
	free(text);
	cJSON_Delete(run.results);
	transform_free(&read);
	free_endpoint(&run.endpoint);
	free(event);
}

int
main(void)
{
	struct config config = {.hl_allow_networks = getenv("HL_ALLOW_NETWORKS"),
	    .hl_public_url = getenv("HL_PUBLIC_URL"),
	    .hl_dev_inbox = getenv("HL_DEV_INBOX") != NULL,
	    .host = getenv("HOST") != NULL ? getenv("HOST") : (char[]){"127.0.0.1"},
	    .port = (uint16_t)(getenv("PORT") != NULL ? atoi(getenv("PORT")) : 0)};
	static char line[4 << 20];
	struct http *http;
	struct error err;

	log_init("driver", LOG_INFO, LOG_TEXT);
	(void)signal(SIGPIPE, SIG_IGN);
	if (http_open(&http, &config, done, NULL, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	while (fgets(line, sizeof line, stdin) != NULL) {
		cJSON *command = cJSON_Parse(line);

		if (command == NULL)
			abort();
		obey(http, command);
		cJSON_Delete(command);
	}
	http_close(http);
	return 0;
}
