/* What text may be given as a host, a path or origins. Only the form is checked, nothing is looked up. */
#ifndef CONFIG_TEXT_RULES_H
#define CONFIG_TEXT_RULES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether any byte of it is a control character. */
bool text_has_control(const char *text);

/* Whether it can name a file or a directory; a file's path must not end in '/'. text is not empty. */
bool text_is_path(const char *text, bool file);

/* Whether it is an IPv4 or IPv6 address, the latter without brackets, perhaps with %zone; or a host name. */
bool text_is_host(const char *text);

#define API_KEY_LEAST 8
#define API_KEY_MOST 255

/* Whether it can be a start key: so many visible ASCII characters, which a header can hold. */
bool text_is_api_key(const char *text);

#define PASSWORD_MOST 255

/* Whether it can be a password that a person types: 1 to PASSWORD_MOST visible ASCII characters. */
bool text_is_password(const char *text);

#define TENANT_ID_MAX 64

/* Whether it can be the name of a tenant: 1 to TENANT_ID_MAX letters, digits, '_', '.' and '-'. */
bool text_is_tenant(const char *text, size_t len);

/* Whether it has the form user or user:group, each as useradd(8) and groupadd(8) take them, or a number. */
bool text_is_user(const char *text);

/* Whether it is http://host or https://host, with or without a port. */
bool text_is_origin(const char *text);

/*
 * Calls take() for each item of a list that has commas between its items, and perhaps spaces around them; context is
 * take()'s. Returns false where take() has refused an item, which ends the walk, or where a comma is missing.
 */
bool text_list_each(const char *list, bool (*take)(void *context, const char *item, size_t len), void *context);

/* Whether it is a list, as above, of hosts: text_is_host(). */
bool text_is_hosts(const char *text);

/* Whether it is "*", or a list of origins (scheme://host or scheme://host:port) with commas between them. */
bool text_is_origins(const char *text);

#endif
