/* Checks the form of hosts, paths, keys, names and origins. Looks nothing up. */
#ifndef CONFIG_TEXT_RULES_H
#define CONFIG_TEXT_RULES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text has a control character. */
bool text_has_control(const char *text);

/* Whether text can be the path of a file or directory; a file's path must not end in '/'. text is not empty. */
bool text_is_path(const char *text, bool file);

/* Whether text is an IPv4 address, an IPv6 address without brackets (%zone allowed), or a host name. */
bool text_is_host(const char *text);

#define API_KEY_LEAST 8
#define API_KEY_MOST 255

/* Whether text can be a start key: API_KEY_LEAST to API_KEY_MOST visible ASCII characters. */
bool text_is_api_key(const char *text);

#define PASSWORD_MOST 255

/* Whether text can be a password: 1 to PASSWORD_MOST visible ASCII characters. */
bool text_is_password(const char *text);

#define TENANT_ID_MAX 64

/* Whether text can be a tenant's name: 1 to TENANT_ID_MAX letters, digits, '_', '.' and '-'. */
bool text_is_tenant(const char *text, size_t len);

/* Whether text has the form user or user:group: names as for useradd(8) and groupadd(8), or numbers. */
bool text_is_user(const char *text);

/* Whether text is http://host or https://host, with or without a port. */
bool text_is_origin(const char *text);

/*
 * Calls take(context, ...) for each item of a list separated by commas, perhaps with spaces. Returns false if take()
 * refuses an item, which ends the walk, or if a comma is missing.
 */
bool text_list_each(const char *list, bool (*take)(void *context, const char *item, size_t len), void *context);

/* Whether text is a list, as above, of hosts: text_is_host(). */
bool text_is_hosts(const char *text);

/* Whether text is "*" or a list, as above, of origins (scheme://host or scheme://host:port). */
bool text_is_origins(const char *text);

#endif
