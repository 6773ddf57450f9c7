/*
 * libpq parses a copy with a masked password, because its messages quote the text that it cannot parse, and because
 * acceptors inherit the memory that it has freed. So this file itself checks the password for errors.
 */
#include "store/postgres/pg_url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "config/database_url.h"
#include "base/mem.h"

/*
 * Whether a URI has an '@' anywhere but between password and host. libpq parses "user:p@ss@host" as host "ss@host" and
 * "user:a/b@host" as port "a", and its messages, which go to the log, would show these parts of a password.
 */
static bool
has_stray_at_sign(const char *rest)
{
	size_t len = strcspn(rest, "?");
	size_t first = strcspn(rest, "@/");

	return first < len && memchr(rest + first + 1, '@', len - first - 1) != NULL;
}

static bool
has_stray_percent(const char *rest)
{
	while ((rest = strchr(rest, '%')) != NULL) {
		if (!isxdigit((unsigned char)rest[1]) || !isxdigit((unsigned char)rest[2]) ||
		    (rest[1] == '0' && rest[2] == '0'))
			return true;
		rest += 3;
	}
	return false;
}

/*
 * The parameter that libpq's message quotes, from its quote to the end of the message; NULL: another kind of message.
 */
static const char *
parameter_in(const char *message, bool uri)
{
	static const char *const words[] = {
	    "invalid URI query parameter: ", "missing key/value separator \"=\" in URI query parameter: ",
	    "extra key/value separator \"=\" in URI query parameter: ", "invalid connection option "};

	for (size_t i = uri ? 0 : 3; i < sizeof words / sizeof *words; i++)
		if (strncmp(message, words[i], strlen(words[i])) == 0)
			return message + strlen(words[i]);
	return NULL;
}

/* Reports why libpq cannot parse it. */
static int
not_read(const char *option, const char *masked, bool uri, const char *message, struct error *err)
{
	const char *name = parameter_in(message, uri);

	if (name != NULL && !uri && strcasestr(masked, "password") != NULL)
		return error_set(err,
		    "%s has a parameter that libpq does not know, or a password with spaces: "
		    "write it in single quotes",
		    option);
	if (name == NULL)
		return error_set(err,
		    "%s cannot be read: it should look like postgresql://user:password@host:5432/database", option);
	if (strncmp(message, "invalid", 7) == 0)
		return error_set(err, "%s has the parameter %.*s, which libpq does not know: leave it out", option,
		    (int)strcspn(name, "\n"), name);
	return error_set(err,
	    "the parameter %.*s of %s must be followed by '=' and a value, in which %%3D stands for '='",
	    (int)strcspn(name, "\n"), name, option);
}

/* A host list as long as hosts, in which each item is a path that cannot be a socket's directory. */
static char *
nowhere(const char *hosts)
{
	static const char none[] = "/dev/null";
	size_t count = 1;

	for (const char *c = hosts; c != NULL && *c != '\0'; c++)
		count += *c == ',';
	char *list = mem_new(count, sizeof none), *end = list;
	while (count-- > 0)
		end = stpcpy(stpcpy(end, none), count > 0 ? "," : "");
	return list;
}

static const char *
value_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	return NULL;
}

/* libpq checks values when it begins to connect, so this connects to sockets that cannot exist. */
static int
check_values(const char *option, const PQconninfoOption *options, struct error *err)
{
	const char *host = value_of(options, "host"), *address = value_of(options, "hostaddr");
	char *hosts = nowhere(address != NULL ? address : host);
	const char **keywords, **values;
	size_t count = 0, n = 0;
	int rc = 0;

	while (options[count].keyword != NULL)
		count++;
	keywords = mem_new(count + 1, sizeof *keywords);
	values = mem_new(count + 1, sizeof *values);
	for (size_t i = 0; i < count; i++) {
		bool is_host = strcmp(options[i].keyword, "host") == 0;

		if (strcmp(options[i].keyword, "hostaddr") == 0)
			continue;
		keywords[n] = options[i].keyword;
		values[n++] = is_host ? hosts : options[i].val;
	}
	PGconn *nobody = PQconnectStartParams(keywords, values, 0);
	const char *message = nobody != NULL ? PQerrorMessage(nobody) : "";

	if (strncmp(message, "invalid integer value", 21) == 0 || strncmp(message, "invalid port number", 19) == 0)
		rc = error_set(err, "%s has a port that is no number from 1 to 65535", option);
	else if (strncmp(message, "invalid ", 8) == 0 || strncmp(message, "could not match ", 16) == 0)
		rc = error_set(err, "%s: %.*s", option, (int)strcspn(message, "\n"), message);
	PQfinish(nobody);
	free(keywords);
	free(values);
	free(hosts);
	return rc;
}

/* Whether the parameters name all hosts. Otherwise libpq would take some from the environment, and connect to them. */
static bool
is_complete(const PQconninfoOption *options)
{
	return value_of(options, "service") == NULL && getenv("PGSERVICE") == NULL && getenv("PGHOSTADDR") == NULL;
}

static int
check_masked(const char *option, const char *masked, bool uri, struct error *err)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(masked, &message);
	int rc;

	if (options == NULL)
		rc = not_read(option, masked, uri, message != NULL ? message : "", err);
	else
		rc = is_complete(options) ? check_values(option, options, err) : 0;
	PQconninfoFree(options);
	PQfreemem(message);
	return rc;
}

int
pg_url_check(const char *option, const char *url, struct error *err)
{
	const char *rest = strncmp(url, "postgres", 8) == 0 ? strstr(url, "://") : NULL;

	if (rest != NULL && has_stray_at_sign(rest + 3))
		return error_set(err,
		    "%s has a raw '@' or '/' in its user name or password: write %%40 for '@' and %%2F for '/'",
		    option);
	if (rest != NULL && has_stray_percent(rest + 3))
		return error_set(err,
		    "%s has a '%%' that is not followed by two hexadecimal digits: write %%25 for a percent sign",
		    option);
	char *masked = database_url_masked(url);
	int rc = check_masked(option, masked, rest != NULL, err);

	free(masked);
	return rc;
}
