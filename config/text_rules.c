/* Forms of hosts, paths and origins. */
#include "config/text_rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <string.h>

#define HOST_NAME_MAX_BYTES 253 /* RFC 1035: 255 on the wire */

bool
text_has_control(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return true;
	}
	return false;
}

bool
text_is_path(const char *text, bool file)
{
	size_t len = strlen(text);

	return len < PATH_MAX && !text_has_control(text) && !(file && text[len - 1] == '/');
}

/* Digits and dots must be an IPv4 address, so that 10.0.0.300 is not looked up as a name. */
bool
text_is_host(const char *text)
{
	struct in6_addr address;
	char literal[INET6_ADDRSTRLEN];

	if (strchr(text, ':') != NULL) {
		size_t len = strcspn(text, "%"); /* fe80::1%eth0 */
		if (len >= sizeof literal || strcmp(text + len, "%") == 0 || text_has_control(text))
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

/* scheme://host or scheme://host:port, as browsers send it: without a path or trailing slash. */
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

bool
text_is_origin(const char *text)
{
	bool web = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;

	return web && is_origin(text, strlen(text));
}

static bool
is_visible(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

bool
text_is_api_key(const char *text)
{
	size_t len = strlen(text);

	return is_visible(text) && len >= API_KEY_LEAST && len <= API_KEY_MOST;
}

bool
text_is_password(const char *text)
{
	size_t len = strlen(text);

	return is_visible(text) && len >= 1 && len <= PASSWORD_MOST;
}

bool
text_is_tenant(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && (text[i] == '\0' || strchr("_.-", text[i]) == NULL))
			return false;
	return len >= 1 && len <= TENANT_ID_MAX;
}

#define USER_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

bool
text_is_user(const char *text)
{
	size_t user = strspn(text, USER_CHARACTERS);
	const char *group = text[user] == ':' ? text + user + 1 : NULL;

	if (user == 0 || text[0] == '-' || (text[user] != '\0' && group == NULL))
		return false;
	return group == NULL || (*group != '\0' && *group != '-' && group[strspn(group, USER_CHARACTERS)] == '\0');
}

bool
text_list_each(const char *list, bool (*take)(void *context, const char *item, size_t len), void *context)
{
	for (;;) {
		size_t len;

		list += strspn(list, " ");
		len = strcspn(list, ", ");
		if (!take(context, list, len))
			return false;
		list += len + strspn(list + len, " ");
		if (*list == '\0')
			return true;
		if (*list++ != ',')
			return false;
	}
}

static bool
take_host(void *context, const char *item, size_t len)
{
	char host[HOST_NAME_MAX_BYTES + 1];

	(void)context;
	if (len == 0 || len >= sizeof host)
		return false;
	memcpy(host, item, len);
	host[len] = '\0';
	return text_is_host(host);
}

bool
text_is_hosts(const char *text)
{
	return text_list_each(text, take_host, NULL);
}

static bool
take_origin(void *context, const char *item, size_t len)
{
	(void)context;
	return is_origin(item, len);
}

bool
text_is_origins(const char *text)
{
	return strcmp(text, "*") == 0 || text_list_each(text, take_origin, NULL);
}
