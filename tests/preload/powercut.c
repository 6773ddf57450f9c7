/*
 * A library to preload that records what a power cut would leave of a program's files.
 *
 * The program's files are in the page cache, which kill -9 does not touch. So the library keeps a platter beside a
 * directory tree that the test has chosen: what a disk must hold, by the letter of POSIX. On it a file has the content
 * of its last fsync or fdatasync, and a directory the names of its own last fsync. A file that was synced in a
 * directory that was not is therefore nowhere. For each directory all states since its last sync are kept, because a
 * disk may have got as far as any of them: names are journalled in order. The test (tests/e2e/harness/power.py) decides
 * what a cut makes of this.
 *
 *   lock              held during any call that changes the tree or the platter
 *   operations        the number of these calls
 *   files/INODE/      live: a hard link to the file, which also keeps its inode number from being used again
 *                     durable: its content as of the last sync; dirty: ranges changed since, pairs of offset and length
 *   directories/INODE/NUMBER
 *                     the names after that operation: "f INODE NAME" or "d INODE NAME" a line; the first is durable
 *
 * POWERCUT_PLATTER   the platter, in the file system of the tree. Files that are not registered there are left alone.
 * POWERCUT_AT        the operation that is not done any more: it kills the process group. 0 or unset: none.
 * POWERCUT_IGNORE    "files" or "directories": their syncs do nothing, to test the test.
 *
 * Not modelled: files written by mmap() (SQLite's -shm, which it makes anew) or stdio, symbolic links, and the calls
 * that test_power_cut.py says hooksd must not make.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct range {
	uint64_t offset, length;
};

static const char *platter; /* NULL: the library does nothing */
static dev_t device;
static volatile uint64_t *operations;
static uint64_t cut_at;
static bool ignore_files, ignore_directories;

static void
die(const char *what)
{
	(void)fprintf(stderr, "powercut: cannot %s: %s\n", what, strerror(errno));
	abort();
}

/* The path of an entry on the platter. kind: "files" or "directories". name: NULL for the entry's directory. */
static void
path_of(char out[PATH_MAX], const char *kind, ino_t inode, const char *name)
{
	(void)snprintf(out, PATH_MAX, "%s/%s/%ju%s%s", platter, kind, (uintmax_t)inode, name == NULL ? "" : "/",
	    name == NULL ? "" : name);
}

static int
open_in_platter(const char *kind, ino_t inode, const char *name, int flags)
{
	char path[PATH_MAX];

	path_of(path, kind, inode, name);
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

static bool
is_known(const char *kind, const struct stat *st)
{
	char path[PATH_MAX];

	if (st->st_dev != device)
		return false;
	path_of(path, kind, st->st_ino, NULL);
	return access(path, F_OK) == 0;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *directory = getenv("POWERCUT_PLATTER");
	const char *at = getenv("POWERCUT_AT");
	const char *ignored = getenv("POWERCUT_IGNORE");
	char path[PATH_MAX];
	struct stat st;

	if (directory == NULL)
		return;
	ignore_files = ignored != NULL && strcmp(ignored, "files") == 0;
	ignore_directories = ignored != NULL && strcmp(ignored, "directories") == 0;
	cut_at = at == NULL ? 0 : strtoull(at, NULL, 10);
	(void)snprintf(path, sizeof path, "%s/operations", directory);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		die(path);
	operations = mmap(NULL, sizeof *operations, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (operations == MAP_FAILED)
		die("map the operations");
	close(fd);
	device = st.st_dev;
	platter = directory;
}

/* Begins an operation: there is no other one until leave(). At the cut it does not return. */
static int
enter(void)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/lock", platter);
	int lock = open(path, O_RDWR | O_CLOEXEC);
	if (lock < 0)
		die(path);
	while (flock(lock, LOCK_EX) != 0)
		if (errno != EINTR)
			die("lock the platter");
	if (++*operations == cut_at) {
		(void)kill(0, SIGKILL);
		for (;;)
			(void)pause();
	}
	return lock;
}

static void
leave(int lock)
{
	int kept = errno;

	close(lock);
	errno = kept;
}

/* ---- content ---- */

static void
note_change(ino_t inode, uint64_t offset, uint64_t length)
{
	struct range range = {offset, length};
	int fd = open_in_platter("files", inode, "dirty", O_WRONLY | O_CREAT | O_APPEND);

	if (write(fd, &range, sizeof range) != (ssize_t)sizeof range)
		die("note a change");
	close(fd);
}

/* There is nothing to copy past the end of `from`. */
static void
copy_range(int from, int to, struct range range)
{
	char buffer[65536];

	while (range.length > 0) {
		size_t want = range.length < sizeof buffer ? (size_t)range.length : sizeof buffer;
		ssize_t n = pread(from, buffer, want, (off_t)range.offset);

		if (n < 0 || (n > 0 && pwrite(to, buffer, (size_t)n, (off_t)range.offset) != n))
			die("copy to the platter");
		if (n == 0)
			return;
		range.offset += (uint64_t)n;
		range.length -= (uint64_t)n;
	}
}

static void
persist_content(const struct stat *st)
{
	int live = open_in_platter("files", st->st_ino, "live", O_RDONLY);
	int durable = open_in_platter("files", st->st_ino, "durable", O_WRONLY);
	int dirty = open_in_platter("files", st->st_ino, "dirty", O_RDWR | O_CREAT);
	struct range range;

	while (read(dirty, &range, sizeof range) == (ssize_t)sizeof range)
		copy_range(live, durable, range);
	struct stat now;
	if (fstat(live, &now) != 0 || ftruncate(durable, now.st_size) != 0 || ftruncate(dirty, 0) != 0)
		die("sync to the platter");
	close(live);
	close(durable);
	close(dirty);
}

/* ---- names ---- */

/* The watched directory that a path is in. */
struct place {
	int fd; /* -1: not watched */
	ino_t inode;
};

static struct place
place_of(int at, const char *path)
{
	struct place place = {.fd = -1};
	char copy[PATH_MAX];
	struct stat st;

	if (platter == NULL || snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
		return place;
	place.fd = (int)syscall(SYS_openat, at, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (place.fd >= 0 && (fstat(place.fd, &st) != 0 || !is_known("directories", &st))) {
		close(place.fd);
		place.fd = -1;
	}
	place.inode = place.fd < 0 ? 0 : st.st_ino;
	return place;
}

static void
close_place(struct place *place)
{
	int kept = errno;

	if (place->fd >= 0)
		close(place->fd);
	errno = kept;
}

static void
list_names(int directory_fd, ino_t inode)
{
	char part[PATH_MAX], path[PATH_MAX], number[32];
	struct dirent *entry;
	struct stat st;

	(void)snprintf(number, sizeof number, "%020" PRIu64, *operations);
	path_of(part, "directories", inode, "part");
	path_of(path, "directories", inode, number);
	FILE *out = fopen(part, "we");
	DIR *directory = fdopendir(openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (out == NULL || directory == NULL)
		die(part);
	while ((entry = readdir(directory)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    fstatat(dirfd(directory), name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			(void)fprintf(out, "%c %ju %s\n", S_ISDIR(st.st_mode) ? 'd' : 'f', (uintmax_t)st.st_ino, name);
	}
	closedir(directory);
	if (fclose(out) != 0 || rename(part, path) != 0)
		die(path);
}

/* From now on a cut can leave only the present names. */
static void
persist_names(int directory_fd, ino_t inode)
{
	char path[PATH_MAX], number[32];
	struct dirent *entry;

	list_names(directory_fd, inode);
	(void)snprintf(number, sizeof number, "%020" PRIu64, *operations);
	path_of(path, "directories", inode, NULL);
	DIR *directory = opendir(path);
	if (directory == NULL)
		die(path);
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, number) < 0 &&
		    unlinkat(dirfd(directory), entry->d_name, 0) != 0)
			die(path);
	closedir(directory);
}

static void
register_file(const struct place *place, const char *path, const struct stat *st)
{
	char copy[PATH_MAX], to[PATH_MAX];

	if (is_known("files", st))
		return;
	(void)snprintf(copy, sizeof copy, "%s", path);
	path_of(to, "files", st->st_ino, NULL);
	if (mkdir(to, 0700) != 0)
		die(to);
	close(open_in_platter("files", st->st_ino, "durable", O_WRONLY | O_CREAT));
	path_of(to, "files", st->st_ino, "live");
	if (linkat(place->fd, basename(copy), AT_FDCWD, to, 0) != 0)
		die(to);
	list_names(place->fd, place->inode);
}

/* A cut leaves nothing of a new directory. */
static void
register_directory(const struct place *place, const char *path)
{
	char copy[PATH_MAX], to[PATH_MAX];
	struct stat st;

	(void)snprintf(copy, sizeof copy, "%s", path);
	if (fstatat(place->fd, basename(copy), &st, 0) != 0)
		die(path);
	path_of(to, "directories", st.st_ino, NULL);
	if (mkdir(to, 0700) != 0)
		die(to);
	close(open_in_platter("directories", st.st_ino, "00000000000000000000", O_WRONLY | O_CREAT));
	list_names(place->fd, place->inode);
}

/* ---- the calls of the program ---- */

int
openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(args, mode_t);
	va_end(args);

	struct place place = {.fd = -1};
	if ((flags & (O_CREAT | O_TRUNC)) != 0)
		place = place_of(at, path);
	if (place.fd < 0)
		return (int)syscall(SYS_openat, at, path, flags, mode);

	int lock = enter();
	struct stat before = {.st_size = 0}, st;
	(void)fstatat(at, path, &before, 0);
	int fd = (int)syscall(SYS_openat, at, path, flags, mode);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		register_file(&place, path, &st);
		if ((flags & O_TRUNC) != 0 && before.st_size > 0)
			note_change(st.st_ino, 0, (uint64_t)before.st_size);
	}
	leave(lock);
	close_place(&place);
	return fd;
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(args, mode_t);
	va_end(args);
	return openat(AT_FDCWD, path, flags, mode);
}

static bool
is_watched(int fd, struct stat *st)
{
	int kept = errno;
	bool watched = platter != NULL && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && is_known("files", st);

	errno = kept;
	return watched;
}

ssize_t
write(int fd, const void *bytes, size_t count)
{
	struct stat st;

	if (!is_watched(fd, &st))
		return syscall(SYS_write, fd, bytes, count);
	int lock = enter();
	off_t at = lseek(fd, 0, (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
	note_change(st.st_ino, (uint64_t)at, count);
	ssize_t n = syscall(SYS_write, fd, bytes, count);
	leave(lock);
	return n;
}

ssize_t
pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	struct stat st;

	if (!is_watched(fd, &st))
		return syscall(SYS_pwrite64, fd, bytes, count, offset);
	int lock = enter();
	note_change(st.st_ino, (uint64_t)offset, count);
	ssize_t n = syscall(SYS_pwrite64, fd, bytes, count, offset);
	leave(lock);
	return n;
}

int
ftruncate(int fd, off_t size)
{
	struct stat st;

	if (!is_watched(fd, &st))
		return (int)syscall(SYS_ftruncate, fd, size);
	int lock = enter();
	if (fstat(fd, &st) == 0 && size < st.st_size)
		note_change(st.st_ino, (uint64_t)size, (uint64_t)(st.st_size - size));
	int rc = (int)syscall(SYS_ftruncate, fd, size);
	leave(lock);
	return rc;
}

static int
sync_fd(int fd, long call)
{
	struct stat st;

	if (platter == NULL || fstat(fd, &st) != 0)
		return (int)syscall(call, fd);
	bool names = S_ISDIR(st.st_mode);
	if (!(names || S_ISREG(st.st_mode)) || !is_known(names ? "directories" : "files", &st))
		return (int)syscall(call, fd);

	int lock = enter();
	if (names && !ignore_directories)
		persist_names(fd, st.st_ino);
	else if (!names && !ignore_files)
		persist_content(&st);
	leave(lock);
	return 0;
}

int
fsync(int fd)
{
	return sync_fd(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
	return sync_fd(fd, SYS_fdatasync);
}

/* Makes a call with these arguments, which changes the names of the directories of both paths. */
static int
change_names(const char *from, const char *to, long call, long first, const char *second, long third)
{
	struct place old = place_of(AT_FDCWD, from), new = place_of(AT_FDCWD, to);
	bool watched = old.fd >= 0 || new.fd >= 0;
	int lock = watched ? enter() : -1;
	int rc = (int)syscall(call, first, second, third, to, 0);

	if (rc == 0 && new.fd >= 0)
		list_names(new.fd, new.inode);
	if (rc == 0 && old.fd >= 0 && old.inode != new.inode)
		list_names(old.fd, old.inode);
	if (watched)
		leave(lock);
	close_place(&old);
	close_place(&new);
	return rc;
}

int
rename(const char *from, const char *to)
{
	return change_names(from, to, SYS_renameat2, AT_FDCWD, from, AT_FDCWD);
}

int
link(const char *from, const char *to)
{
	return change_names(to, to, SYS_linkat, AT_FDCWD, from, AT_FDCWD);
}

int
unlink(const char *path)
{
	return change_names(path, path, SYS_unlinkat, AT_FDCWD, path, 0);
}

int
mkdir(const char *path, mode_t mode)
{
	struct place place = place_of(AT_FDCWD, path);

	if (place.fd < 0)
		return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	int lock = enter();
	int rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	if (rc == 0)
		register_directory(&place, path);
	leave(lock);
	close_place(&place);
	return rc;
}
