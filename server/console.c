/* Every answer, errors included, has the headers that isolate the page. */
#include "server/console.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "server/acceptor.h"
#include "server/console_files.h"
#include "server/exchange.h"
#include "server/reply.h"

#define SCHEME "Basic "
#define USER "admin:"
#define CREDENTIALS_MOST 512

/* ---- access ---- */

/* Compares digests in constant time, so that timing reveals neither the password's length nor a matching part. */
static bool
are_credentials(struct span given, const char *password)
{
	uint8_t wanted[SHA256_BYTES], digest[SHA256_BYTES];

	if (given.len < sizeof USER - 1 || memcmp(given.base, USER, sizeof USER - 1) != 0)
		return false;
	crypto_sha256((struct span){password, strlen(password)}, wanted);
	crypto_sha256((struct span){given.base + sizeof USER - 1, given.len - (sizeof USER - 1)}, digest);
	return crypto_equal(wanted, digest, SHA256_BYTES);
}

static bool
is_admin(const h2o_req_t *req, const char *password)
{
	ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
	size_t n = sizeof SCHEME - 1, len;
	char credentials[CREDENTIALS_MOST];
	h2o_iovec_t value;

	if (at == -1)
		return false;
	value = req->headers.entries[at].value;
	return value.len > n && strncasecmp(value.base, SCHEME, n) == 0 &&
	       base64_decode((struct span){value.base + n, value.len - n}, BASE64_STANDARD, credentials,
		   sizeof credentials, &len) &&
	       are_credentials((struct span){credentials, len}, password);
}

/* Whether the page may be shown. If not, answers the request. */
static bool
admit(const struct acceptor *acceptor, h2o_req_t *req)
{
	const struct config *config = acceptor->config;

	if (!config->hl_console_enabled) {
		reply_api_error(req, 404, "console_disabled",
		    "the console is switched off: HL_CONSOLE_ENABLED=true switches it on");
	} else if (!config_api_is_on(config)) {
		reply_api_error(req, 404, "console_disabled",
		    "the API of webhooks is off, and HL_CONSOLE_ENABLED needs it: HL_API_KEY turns it on");
	} else if (config->hl_console_pass != NULL && !is_admin(req, config->hl_console_pass)) {
		reply_add_header(
		    req, "WWW-Authenticate", H2O_STRLIT("Basic realm=\"hooksd console\", charset=\"UTF-8\""));
		reply_api_error(req, 401, "unauthorized",
		    "The console asks for the user admin and the password that HL_CONSOLE_PASS has");
	} else {
		return true;
	}
	return false;
}

/* ---- files ---- */

static void
add_headers(h2o_req_t *req)
{
	static const char policy[] =
	    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
	    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

	reply_add_header(req, "Content-Security-Policy", H2O_STRLIT(policy));
	reply_add_header(req, "X-Content-Type-Options", H2O_STRLIT("nosniff"));
	reply_add_header(req, "X-Frame-Options", H2O_STRLIT("DENY"));
	reply_add_header(req, "Referrer-Policy", H2O_STRLIT("no-referrer"));
	reply_add_header(req, "Cross-Origin-Opener-Policy", H2O_STRLIT("same-origin"));
	reply_add_header(req, "Cross-Origin-Resource-Policy", H2O_STRLIT("same-origin"));
}

static const struct console_file *
find(struct span name)
{
	for (size_t i = 0; i < console_file_count; i++)
		if (strlen(console_files[i].name) == name.len &&
		    memcmp(console_files[i].name, name.base, name.len) == 0)
			return &console_files[i];
	return NULL;
}

/* no-cache: a browser keeps the file, and revalidates it each time. */
static void
send_file(const struct acceptor *acceptor, h2o_req_t *req, struct span name)
{
	const struct console_file *file;

	add_headers(req);
	if (!admit(acceptor, req))
		return;
	file = find(name);
	if (file == NULL) {
		reply_api_error(req, 404, "not_found", "the console has no such file");
		return;
	}
	reply_add_header(req, "ETag", file->etag, strlen(file->etag));
	reply_add_header(req, "Cache-Control", H2O_STRLIT("no-cache"));
	if (reply_is_known(req, (struct span){file->etag, strlen(file->etag)}))
		reply_without_body(req, 304, SIZE_MAX);
	else
		reply_static(req, file->content_type, file->bytes, file->len);
}

void
console_page(struct acceptor *acceptor, struct exchange *exchange)
{
	send_file(acceptor, exchange->req, (struct span){"index.html", 10});
}

void
console_file(struct acceptor *acceptor, struct exchange *exchange)
{
	send_file(acceptor, exchange->req, exchange->match.params[0]);
}

void
console_inbox(struct acceptor *acceptor, struct exchange *exchange)
{
	if (acceptor->config->hl_dev_inbox) {
		send_file(acceptor, exchange->req, (struct span){"inbox.html", 10});
		return;
	}
	add_headers(exchange->req);
	reply_api_error(exchange->req, 404, "dev_inbox_disabled",
	    "the development receiver is switched off: HL_DEV_INBOX=true switches it on");
}
