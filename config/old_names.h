/* Environment variables of the original service that are accepted and ignored. */
#ifndef CONFIG_OLD_NAMES_H
#define CONFIG_OLD_NAMES_H

/* NULL-terminated. */
extern const char *const old_names[];

#endif
