/* What text may be given as a host, a path or origins. Only the form is checked, nothing is looked up. */
#ifndef CONFIG_TEXT_RULES_H
#define CONFIG_TEXT_RULES_H

#include <stdbool.h>

/* Whether any byte of it is a control character. */
bool text_has_control(const char *text);

/* Whether it can name a file or a directory; a file's path must not end in '/'. text is not empty. */
bool text_is_path(const char *text, bool file);

/* Whether it is an IPv4 or IPv6 address, the latter without brackets, perhaps with %zone; or a host name. */
bool text_is_host(const char *text);

/* Whether it is "*", or a list of origins (scheme://host or scheme://host:port) with commas between them. */
bool text_is_origins(const char *text);

#endif
