/* hooksctl ring: prints the contents of a ring's file, which may be a damaged copy, and makes copies. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command_words.h"
#include "cli/commands.h"
#include "cli/ring_find.h"
#include "cli/ring_json.h"
#include "cli/ring_look.h"
#include "cli/ring_text.h"
#include "shm/segment_file.h"
#include "shm/segment_image.h"

const char command_ring_usage[] =
    "usage: hooksctl ring dump [FILE] [--json] | save FILE [--option=value ...]\n\n"
    "The ring is the file at RING_PATH, in which all processes of a hooksd have what they share.\n\n"
    "  dump  prints a ring: its header, processes, lanes with what waits in them, the writers' ledgers\n"
    "        and all counters. FILE is a copy, also a damaged one; without FILE it is the ring of the\n"
    "        hooksd with these options, while it runs or after its end\n"
    "  save  copies that ring to a new FILE, whose owner alone may read it: the copy has events, and\n"
    "        hashes of API keys. A running hooksd changes the ring meanwhile: what the copy says of a\n"
    "        busy lane may not be of a single instant. Start no hooksd on a copy\n\n"
    "  --json  prints one object; docs/tools.md lists its members\n\n"
    "Exit codes: 0 done; 1 failed, or something in the ring is damaged; 64 wrong usage or configuration.\n";

const char *const command_ring_flags[] = {"--json", NULL};

static int
complain(const char *text)
{
	fprintf(stderr, "hooksctl ring: %s\n", text);
	return COMMAND_FAILED;
}

/* Returns a descriptor of the file to print, and its name in *path; or -1 after reporting why there is none. */
static int
open_ring(const struct config *config, const char **path)
{
	struct segment live;
	struct error err;
	int fd;

	if (*path == NULL) {
		*path = config->ring_path;
		if (ring_find(&live, config, "ring") != 0)
			return -1;
		fd = fcntl(live.fd, F_DUPFD_CLOEXEC, 0);
		segment_close(&live);
	} else {
		fd = open(*path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is refused later */
	}
	if (fd < 0) {
		(void)error_errno(&err, "cannot open %s", *path);
		(void)complain(err.text);
	}
	return fd;
}

static int
dump(const struct config *config, const char *path, bool json)
{
	struct segment segment;
	struct error err;
	int fd = open_ring(config, &path);

	if (fd < 0)
		return COMMAND_FAILED;
	if (segment_image_read(&segment, fd, path, &err) != 0) {
		close(fd);
		return complain(err.text);
	}
	(json ? ring_print_json : ring_print_text)(stdout, &segment, path);

	const bool whole = ring_is_whole(&segment);

	segment_close(&segment);
	if (fflush(stdout) != 0) {
		(void)error_errno(&err, "cannot write");
		return complain(err.text);
	}
	return whole ? COMMAND_OK : COMMAND_FAILED;
}

static int
save(const struct config *config, const char *path)
{
	struct segment segment;
	struct error err;
	int rc;

	if (ring_find(&segment, config, "ring") != 0)
		return COMMAND_FAILED;
	rc = segment_copy(&segment, path, &err);
	segment_close(&segment);
	return rc == 0 ? COMMAND_OK : complain(err.text);
}

int
command_ring(const struct config *config, char *const *words)
{
	const int count = command_words_count(words);
	const bool json = command_has_flag(words, "--json");

	if (count >= 1 && count <= 2 && strcmp(words[0], "dump") == 0)
		return dump(config, count == 2 ? words[1] : NULL, json);
	if (count == 2 && strcmp(words[0], "save") == 0 && !json)
		return save(config, words[1]);
	fputs(command_ring_usage, stderr);
	return COMMAND_USAGE;
}
