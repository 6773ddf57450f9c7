/*
 * Values of options: from text into struct config and back. Everything here is driven by the option's type; rules
 * that look at more than one option are in config/config.c.
 */
#include "config/options.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/database_url.h"
#include "base/mem.h"

#define HOST_NAME_MAX_BYTES 253 /* RFC 1035: 255 on the wire */

int
option_refuse(const struct option *option, const char *value, struct error *err, const char *fmt, ...)
{
	char flag[OPTION_FLAG_MAX];
	char rule[320];
	va_list ap;

	option_flag(option, flag);
	va_start(ap, fmt);
	(void)vsnprintf(rule, sizeof rule, fmt, ap);
	va_end(ap);
	if (value == NULL || option->secret)
		return error_set(err, "%s: %s (flag %s or environment %s)", option->name, rule, flag, option->name);
	return error_set(err, "%s=%.80s%s: %s (flag %s or environment %s)", option->name, value,
	    strlen(value) > 80 ? "..." : "", rule, flag, option->name);
}

bool
option_is_string(const struct option *option)
{
	return option->type <= OPTION_TYPE_ORIGINS;
}

char **
option_string(const struct option *option, struct config *config)
{
	assert(option_is_string(option) && option->size == sizeof(char *));
	return (char **)(void *)((char *)config + option->offset);
}

static const char *
option_text(const struct option *option, const struct config *config)
{
	const char *text;

	assert(option_is_string(option));
	memcpy(&text, (const char *)config + option->offset, sizeof text);
	return text;
}

uint64_t
option_number(const struct option *option, const struct config *config)
{
	const char *field = (const char *)config + option->offset;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (option->size) {
	case sizeof(bool):
		return *(const bool *)field;
	case sizeof u16:
		memcpy(&u16, field, sizeof u16);
		return u16;
	case sizeof u32:
		memcpy(&u32, field, sizeof u32);
		return u32;
	default:
		assert(option->size == sizeof u64);
		memcpy(&u64, field, sizeof u64);
		return u64;
	}
}

static void
set_number(const struct option *option, struct config *config, uint64_t number)
{
	char *field = (char *)config + option->offset;
	bool flag = number != 0;
	uint16_t u16 = (uint16_t)number;
	uint32_t u32 = (uint32_t)number;

	switch (option->size) {
	case sizeof flag:
		memcpy(field, &flag, sizeof flag);
		return;
	case sizeof u16:
		memcpy(field, &u16, sizeof u16);
		break;
	case sizeof u32:
		memcpy(field, &u32, sizeof u32);
		break;
	default:
		assert(option->size == sizeof number);
		memcpy(field, &number, sizeof number);
	}
	assert(option_number(option, config) == number); /* the row's range fits its field */
}

static void
set_string(const struct option *option, struct config *config, char *text)
{
	char **field = option_string(option, config);

	free(*field);
	*field = text;
}

/* The digits that text begins with, as a number; *rest is what follows. False: no digits, or too many. */
static bool
read_digits(const char *text, uint64_t *number, const char **rest)
{
	uint64_t value = 0;

	*rest = text;
	for (; isdigit((unsigned char)**rest); (*rest)++) {
		unsigned digit = (unsigned)(**rest - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return *rest != text;
}

static bool
read_size(const char *text, uint64_t *bytes)
{
	static const char letters[] = "KMGT";
	static const char *const ends[] = {"", "i", "B", "iB"};
	const char *suffix;

	if (!read_digits(text, bytes, &suffix))
		return false;
	if (*suffix == '\0')
		return true;

	const char *letter = strchr(letters, toupper((unsigned char)*suffix));
	bool known = false;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		known |= strcasecmp(suffix + 1, ends[i]) == 0;
	if (letter == NULL || !known)
		return false;
	unsigned shift = 10 * (unsigned)(letter - letters + 1);
	if (*bytes > UINT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static bool
in_range(const struct option *option, uint64_t number)
{
	return (number >= option->least && number <= option->most) || (number == 0 && option->zero_too);
}

bool
option_read_bool(const char *text, bool *value)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*value = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool
read_choice(const struct option *option, const char *text, uint64_t *number)
{
	for (const char *const *alias = option->aliases; alias != NULL && *alias != NULL; alias += 2)
		if (strcasecmp(text, alias[0]) == 0)
			text = alias[1];
	for (size_t i = 0; option->choices[i] != NULL; i++) {
		if (strcasecmp(text, option->choices[i]) == 0) {
			*number = i;
			return true;
		}
	}
	return false;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return true;
	}
	return false;
}

static bool
is_path(const char *text, bool file)
{
	size_t len = strlen(text);

	return len < PATH_MAX && !has_control(text) && !(file && text[len - 1] == '/');
}

/* Address literals are checked as such, so that 10.0.0.300 is not looked up as a name. */
static bool
is_host(const char *text)
{
	struct in6_addr address;
	char literal[INET6_ADDRSTRLEN];

	if (strchr(text, ':') != NULL) {
		size_t len = strcspn(text, "%"); /* fe80::1%eth0 */
		if (len >= sizeof literal || strcmp(text + len, "%") == 0 || has_control(text))
			return false;
		memcpy(literal, text, len);
		literal[len] = '\0';
		return inet_pton(AF_INET6, literal, &address) == 1;
	}
	if (text[strspn(text, "0123456789.")] == '\0')
		return inet_pton(AF_INET, text, &address) == 1;
	if (strlen(text) > HOST_NAME_MAX_BYTES || text[0] == '-' || text[0] == '.' || strstr(text, "..") != NULL)
		return false;
	for (; *text != '\0'; text++) {
		if (!isalnum((unsigned char)*text) && strchr("-._", *text) == NULL)
			return false;
	}
	return true;
}

/* scheme://host or scheme://host:port, as browsers send it: no path, not even a slash. */
static bool
is_origin(const char *text, size_t len)
{
	const char *host = memmem(text, len, "://", 3);

	if (host == NULL || host == text || host + 3 == text + len)
		return false;
	for (const char *c = text; c < host; c++)
		if (!isalnum((unsigned char)*c) && strchr("+-.", *c) == NULL)
			return false;
	for (const char *c = host + 3; c < text + len; c++)
		if (!isalnum((unsigned char)*c) && strchr("-._:[]", *c) == NULL)
			return false;
	return true;
}

static bool
are_origins(const char *text)
{
	if (strcmp(text, "*") == 0)
		return true;
	for (;;) {
		size_t len;

		text += strspn(text, " ");
		len = strcspn(text, ", ");
		if (!is_origin(text, len))
			return false;
		text += len + strspn(text + len, " ");
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			return false;
	}
}

static char *
read_string(const struct option *option, const char *value)
{
	switch (option->type) {
	case OPTION_TYPE_DATABASE:
		return has_control(value) ? NULL : database_url_read(value);
	case OPTION_TYPE_HOST:
		return is_host(value) ? mem_strdup(value) : NULL;
	case OPTION_TYPE_FILE:
	case OPTION_TYPE_DIRECTORY:
		return is_path(value, option->type == OPTION_TYPE_FILE) ? mem_strdup(value) : NULL;
	case OPTION_TYPE_ORIGINS:
		return are_origins(value) ? mem_strdup(value) : NULL;
	default:
		return NULL;
	}
}

static bool
read_number(const struct option *option, const char *value, uint64_t *number)
{
	const char *rest;
	bool flag = false;
	bool ok;

	switch (option->type) {
	case OPTION_TYPE_CHOICE:
		return read_choice(option, value, number);
	case OPTION_TYPE_BOOL:
		ok = option_read_bool(value, &flag);
		*number = flag;
		return ok;
	case OPTION_TYPE_NUMBER:
		return read_digits(value, number, &rest) && *rest == '\0' && in_range(option, *number);
	case OPTION_TYPE_SIZE:
		return read_size(value, number) && in_range(option, *number);
	default:
		return false;
	}
}

int
option_set(const struct option *option, const char *value, struct config *config, struct error *err)
{
	char allowed[256];
	uint64_t number;

	assert(*value != '\0');
	if (option_is_string(option)) {
		char *text = read_string(option, value);
		if (text != NULL) {
			set_string(option, config, text);
			return 0;
		}
	} else if (read_number(option, value, &number)) {
		set_number(option, config, number);
		return 0;
	}
	option_allowed(option, allowed, sizeof allowed);
	return option_refuse(option, value, err, "must be %s", allowed);
}

void
option_print(FILE *out, const struct option *option, const struct config *config)
{
	const char *text;
	char *masked;

	switch (option->type) {
	case OPTION_TYPE_DATABASE:
		text = option_text(option, config);
		masked = text != NULL ? database_url_masked(text) : mem_strdup("");
		(void)fputs(masked, out);
		free(masked);
		break;
	case OPTION_TYPE_HOST:
	case OPTION_TYPE_FILE:
	case OPTION_TYPE_DIRECTORY:
	case OPTION_TYPE_ORIGINS:
		text = option_text(option, config);
		(void)fputs(text != NULL ? text : "", out);
		break;
	case OPTION_TYPE_CHOICE:
		(void)fputs(option->choices[option_number(option, config)], out);
		break;
	case OPTION_TYPE_BOOL:
		(void)fputs(option_number(option, config) != 0 ? "true" : "false", out);
		break;
	case OPTION_TYPE_NUMBER:
	case OPTION_TYPE_SIZE:
		(void)fprintf(out, "%" PRIu64, option_number(option, config));
		break;
	}
}
