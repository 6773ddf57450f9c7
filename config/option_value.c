/* Converts values between text and struct config, by the option's type alone. */
#include "config/option_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/database_url.h"
#include "config/master_keys.h"
#include "config/networks.h"
#include "config/retry_schedule.h"
#include "config/options.h"
#include "config/text_rules.h"
#include "config/units.h"

char **
option_string(const struct option *option, struct config *config)
{
	assert(option_is_string(option) && option->size == sizeof(char *));
	return (char **)(void *)((char *)config + option->offset);
}

const char *
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

void
option_clear(const struct option *option, struct config *config)
{
	char **text = option_string(option, config);

	if (*text != NULL && option->secret)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static bool
in_range(const struct option *option, uint64_t number)
{
	return (number >= option->least && number <= option->most) || (number == 0 && option->or_zero);
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

static char *
read_string(const struct option *option, const char *value)
{
	struct error unused;

	switch (option->type) {
	case TYPE_DATABASE:
		return text_has_control(value) ? NULL : database_url_read(value);
	case TYPE_HOST:
		return text_is_host(value) ? mem_strdup(value) : NULL;
	case TYPE_HOSTS:
		return text_is_hosts(value) ? mem_strdup(value) : NULL;
	case TYPE_FILE:
	case TYPE_SECRET_FILE:
	case TYPE_DIRECTORY:
		return text_is_path(value, option->type != TYPE_DIRECTORY) ? mem_strdup(value) : NULL;
	case TYPE_API_KEY:
		return text_is_api_key(value) ? mem_strdup(value) : NULL;
	case TYPE_PASSWORD:
		return text_is_password(value) ? mem_strdup(value) : NULL;
	case TYPE_TENANT:
		return text_is_tenant(value, strlen(value)) ? mem_strdup(value) : NULL;
	case TYPE_USER:
		return text_is_user(value) ? mem_strdup(value) : NULL;
	case TYPE_MASTER_KEYS:
		return master_keys_valid(value, option->most) ? mem_strdup(value) : NULL;
	case TYPE_WAITS:
		return retry_schedule_check((struct span){value, strlen(value)}, &unused) == 0 ? mem_strdup(value)
											       : NULL;
	case TYPE_NETWORKS:
		return networks_valid(value) ? mem_strdup(value) : NULL;
	case TYPE_ORIGIN:
		return text_is_origin(value) ? mem_strdup(value) : NULL;
	case TYPE_ORIGINS:
		return text_is_origins(value) ? mem_strdup(value) : NULL;
	default:
		return NULL;
	}
}

/* units_read_duration(); a duration that may be 0 may be "off". */
static bool
read_duration(const struct option *option, const char *value, uint64_t unit_ms, uint64_t *number)
{
	*number = 0;
	return (option->or_zero && strcasecmp(value, "off") == 0) ||
	       (units_read_duration(value, unit_ms, number) && in_range(option, *number));
}

static bool
read_number(const struct option *option, const char *value, uint64_t *number)
{
	bool flag = false;
	bool ok;

	switch (option->type) {
	case TYPE_CHOICE:
		return read_choice(option, value, number);
	case TYPE_BOOL:
		ok = units_read_bool(value, &flag);
		*number = flag;
		return ok;
	case TYPE_NUMBER:
		return units_read_number(value, number) && in_range(option, *number);
	case TYPE_SIZE:
		return units_read_size(value, number) && in_range(option, *number);
	case TYPE_MILLISECONDS:
		return read_duration(option, value, 1, number);
	case TYPE_SECONDS:
		return read_duration(option, value, 1000, number);
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
			option_clear(option, config);
			*option_string(option, config) = text;
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
	case TYPE_DATABASE:
		text = option_text(option, config);
		masked = text != NULL ? database_url_masked(text) : mem_strdup("");
		(void)fputs(masked, out);
		free(masked);
		break;
	case TYPE_API_KEY:
	case TYPE_PASSWORD:
	case TYPE_MASTER_KEYS:
		(void)fputs(option_text(option, config) != NULL ? "***" : "", out);
		break;
	case TYPE_HOST:
	case TYPE_HOSTS:
	case TYPE_FILE:
	case TYPE_SECRET_FILE:
	case TYPE_DIRECTORY:
	case TYPE_TENANT:
	case TYPE_USER:
	case TYPE_NETWORKS:
	case TYPE_WAITS:
	case TYPE_ORIGIN:
	case TYPE_ORIGINS:
		text = option_text(option, config);
		(void)fputs(text != NULL ? text : "", out);
		break;
	case TYPE_CHOICE:
		(void)fputs(option->choices[option_number(option, config)], out);
		break;
	case TYPE_BOOL:
		(void)fputs(option_number(option, config) != 0 ? "true" : "false", out);
		break;
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_MILLISECONDS:
	case TYPE_SECONDS:
		(void)fprintf(out, "%" PRIu64, option_number(option, config));
		break;
	}
}
