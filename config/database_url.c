/*
 * Reads and masks DATABASE_URL. Masking parses a string as libpq does. A raw '@', '/' or '?' in a password is an error;
 * then everything up to the last '@' is hidden.
 */
#include "config/database_url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define MASK "***"

/* The rest of text after "postgres://", "postgresql://" or "postgresql+driver://", or NULL. */
static const char *
after_scheme(const char *text)
{
	static const char *const schemes[] = {"postgresql", "postgres"};

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t len = strlen(schemes[i]);

		if (strncmp(text, schemes[i], len) != 0)
			continue;
		const char *rest = text + len;
		if (*rest == '+')
			rest += 1 + strspn(rest + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (strncmp(rest, "://", 3) == 0)
			return rest + 3;
	}
	return NULL;
}

/* Whether text begins like "host=" or "host =". */
static bool
is_connection_string(const char *text)
{
	text += strspn(text, " \t");
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	return word > 0 && text[word + strspn(text + word, " \t")] == '=';
}

char *
database_url_read(const char *text)
{
	static const char scheme[] = "postgresql://";
	const char *rest = after_scheme(text);

	if (rest == NULL)
		return is_connection_string(text) ? mem_strdup(text) : NULL;

	size_t size = sizeof scheme + strlen(rest);
	char *url = mem_new(size, 1);
	(void)snprintf(url, size, "%s%s", scheme, rest);
	return url;
}

/* password, sslpassword and future names like them. A '%' counts, because libpq decodes names, too. */
static bool
is_secret_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '%')
			return true;
		if (len - i >= 8 && strncasecmp(name + i, "password", 8) == 0)
			return true;
		if (len - i >= 6 && strncasecmp(name + i, "secret", 6) == 0)
			return true;
	}
	return false;
}

static char *
append(char *out, const char *text, size_t len)
{
	memcpy(out, text, len);
	return out + len;
}

static const char *
last_at_sign(const char *text, size_t len)
{
	return memrchr(text, '@', len);
}

static char *
mask_uri(char *out, const char *url, const char *rest)
{
	const char *at = strchr(rest, '@');

	out = append(out, url, (size_t)(rest - url));
	if (at != NULL) {
		at = last_at_sign(rest, (size_t)(at - rest) + strcspn(at, "?"));
		const char *colon = memchr(rest, ':', (size_t)(at - rest));
		if (colon != NULL) {
			out = append(out, rest, (size_t)(colon + 1 - rest));
			out = append(out, MASK, sizeof MASK - 1);
			rest = at;
		}
	}

	size_t head = (at != NULL ? (size_t)(at - rest) : 0);
	head += strcspn(rest + head, "?");
	out = append(out, rest, head);
	rest += head;
	while (*rest != '\0') { /* rest is at the '?' or '&' before a parameter */
		size_t len = 1 + strcspn(rest + 1, "&");
		size_t name = 1 + strcspn(rest + 1, "=&");

		if (name < len && is_secret_name(rest + 1, name - 1)) {
			out = append(out, rest, name + 1);
			out = append(out, MASK, sizeof MASK - 1);
		} else {
			out = append(out, rest, len);
		}
		rest += len;
	}
	return out;
}

/* The length of a connection string's value: up to white space, or in quotes; a backslash escapes the next byte. */
static size_t
value_length(const char *text)
{
	bool quoted = *text == '\'';
	size_t len = quoted ? 1 : 0;

	while (text[len] != '\0') {
		if (quoted ? text[len] == '\'' : isspace((unsigned char)text[len]) != 0)
			return quoted ? len + 1 : len;
		len += text[len] == '\\' && text[len + 1] != '\0' ? 2 : 1;
	}
	return len;
}

static char *
mask_connection_string(char *out, const char *text)
{
	while (*text != '\0') {
		size_t space = strspn(text, " \t\n\r\v\f");
		size_t name = strcspn(text + space, "= \t\n\r\v\f");
		size_t head = space + name;
		head += strspn(text + head, " \t\n\r\v\f");

		if (text[head] == '\0' && name == 0)
			return append(out, text, head);
		if (text[head] != '=') { /* perhaps part of a password with unquoted spaces */
			out = append(out, text, space);
			return append(out, MASK, sizeof MASK - 1);
		}
		head++;
		head += strspn(text + head, " \t\n\r\v\f");

		size_t value = value_length(text + head);
		out = append(out, text, head);
		if (is_secret_name(text + space, name))
			out = append(out, MASK, sizeof MASK - 1);
		else
			out = append(out, text + head, value);
		text += head + value;
	}
	return out;
}

char *
database_url_masked(const char *url)
{
	/* Each mask follows a kept '=' or ':', so there are at most strlen(url) masks. */
	char *masked = mem_new(strlen(url) + 1, sizeof MASK);
	const char *rest = after_scheme(url);
	char *end = rest != NULL ? mask_uri(masked, url, rest) : mask_connection_string(masked, url);

	*end = '\0';
	return masked;
}
