/* A file in DATA_DIR that holds one line with a checksum. Writing it is durable and atomic. For courier 0. */
#ifndef COURIER_LINE_FILE_H
#define COURIER_LINE_FILE_H

#include <limits.h>

#include "base/error.h"

#define LINE_FILE_BYTES 128 /* of the line, with a NUL */

/* NONE: there is no such file. DAMAGED: the file is not one line with its checksum. */
enum line_file_condition { LINE_FILE_NONE = 1, LINE_FILE_DAMAGED };

/* Where the file is; <0: the name is too long. */
int line_file_path(const char *data_dir, const char *name, char path[PATH_MAX], struct error *err);

/* Reads the line without its checksum. 0, a condition, or <0: it cannot be read. */
int line_file_read(const char *data_dir, const char *name, char line[LINE_FILE_BYTES], struct error *err);

/* Writes the line, which has no line feed. 0 or <0. */
int line_file_write(const char *data_dir, const char *name, const char *line, struct error *err);

#endif
