/* Exit codes of hooksd and its processes; docs/operations.md documents them. */
#ifndef BASE_EXIT_CODES_H
#define BASE_EXIT_CODES_H

enum exit_code {
	EXIT_DRAINED = 0,
	EXIT_FAILED = 1,
	EXIT_EVENTS_LEFT = 3, /* events remain in the ring file or a copy of it: the next start stores them */
	EXIT_BAD_CONFIG = 64, /* EX_USAGE of sysexits(3) */
};

#endif
