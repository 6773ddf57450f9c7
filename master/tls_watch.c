/* Uses stat() instead of inotify, because the replaced entry may be a directory or link in the middle of the path. */
#include "master/tls_watch.h"

#include <string.h>
#include <sys/stat.h>

#define LOOK_US 1000000

/* Reads the stamps. Returns whether all named files exist. */
static bool
read_stamps(const struct config *config, struct file_stamp stamps[TLS_WATCH_FILES])
{
	const char *const paths[TLS_WATCH_FILES] = {
	    config->tls_cert_file, config->tls_key_file, config->tls_client_ca_file};
	bool all = true;

	memset(stamps, 0, TLS_WATCH_FILES * sizeof *stamps);
	for (int i = 0; i < TLS_WATCH_FILES; i++) {
		struct stat file;

		if (paths[i] == NULL)
			continue;
		if (stat(paths[i], &file) == 0)
			stamps[i] = (struct file_stamp){file.st_dev, file.st_ino, (uint64_t)file.st_size,
			    file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
		else
			all = false;
	}
	return all;
}

void
tls_watch_reading(struct tls_watch *watch, const struct config *config)
{
	(void)read_stamps(config, watch->read);
}

bool
tls_watch_replaced(struct tls_watch *watch, const struct config *config, int64_t now_us)
{
	struct file_stamp stamps[TLS_WATCH_FILES];
	bool same, replaced;

	if (now_us < watch->next_us)
		return false;
	watch->next_us = now_us + LOOK_US;
	replaced = read_stamps(config, stamps) && memcmp(stamps, watch->read, sizeof stamps) != 0;
	same = memcmp(stamps, watch->seen, sizeof stamps) == 0;
	memcpy(watch->seen, stamps, sizeof stamps);
	if (!replaced || !same)
		return false;
	memcpy(watch->read, stamps, sizeof stamps);
	return true;
}
