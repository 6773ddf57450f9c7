/* Reading secrets from files, and wiping them. */
#include "config/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/flags.h"
#include "config/option_value.h"
#include "config/options.h"

/* Reads until the end of the file or until out is full. Returns the number of bytes, or <0 with errno. */
static ssize_t
read_all(int fd, char *out, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, out + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* Opens a regular file. O_NONBLOCK, because opening a FIFO would wait for a writer. Returns a descriptor, or <0. */
static int
open_regular(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat file;

	if (fd < 0)
		return error_errno(err, "cannot be read");
	if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode))
		return fd;
	close(fd);
	return error_set(err, "is not a regular file");
}

int
secret_read_file(const char *path, char out[SECRET_MAX_BYTES + 1], struct error *err)
{
	int fd = open_regular(path, err);

	if (fd < 0)
		return fd;

	ssize_t len = read_all(fd, out, SECRET_MAX_BYTES + 1);

	if (len < 0)
		(void)error_errno(err, "cannot be read");
	close(fd);
	if (len < 0)
		return -1;
	if (len > 0 && len <= SECRET_MAX_BYTES && out[len - 1] == '\n')
		len--;
	if (len == 0)
		return error_set(err, "is empty");
	if (len > SECRET_MAX_BYTES)
		return error_set(err, "is longer than %d bytes", SECRET_MAX_BYTES);
	if (memchr(out, '\0', (size_t)len) != NULL)
		return error_set(err, "has a NUL in it");
	out[len] = '\0';
	return 0;
}

static void
wipe_variable(const char *name)
{
	size_t len = strlen(name);

	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			explicit_bzero(*entry + len + 1, strlen(*entry + len + 1));
	}
}

void
config_wipe_secrets(struct config *config, int argc, char **argv, enum secret_for keeper)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &option_table[i];

		if (!option->secret || (option->kept_by & keeper) != 0)
			continue;
		wipe_variable(option->name);
		option_clear(option, config);
	}
	if ((keeper & ~SECRET_FOR_ACCEPTOR) == 0)
		wipe_variable("PGPASSWORD");

	for (int next = 1; next < argc;) {
		struct error unused;
		struct flag flag;

		if (flag_read(argc, argv, &next, &flag, &unused) < 0)
			return;
		if (flag.option != NULL && flag.option->secret && (flag.option->kept_by & keeper) == 0 &&
		    flag.value != NULL)
			explicit_bzero(flag.value, strlen(flag.value));
	}
}
