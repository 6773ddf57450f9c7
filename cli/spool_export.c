/* hooksctl spool export: prints the events as lines of JSONL, with a few MiB in memory at a time. */
#include "cli/spool_export.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/bytes.h"
#include "cli/commands.h"
#include "cli/spool_source.h"
#include "event/published_json.h"
#include "store/jsonl/jsonl_line.h"

/* Prints the records that the reader holds. Returns 0 or <0. */
static int
write_lines(const struct spool_reader *reader, struct bytes *line, struct error *err)
{
	for (uint32_t i = 0; i < reader->count; i++) {
		const struct record *record = reader->records[i];

		line->len = 0;
		if (record->kind == RECORD_PUBLISHED) {
			bytes_add_text(line, "{");
			published_json_members(line, record);
			bytes_add_text(line, "}\n");
		} else {
			char *begin = bytes_reserve(line, jsonl_line_max(record));

			line->len = (size_t)(jsonl_line(begin, record) - begin);
		}
		if (fwrite(line->base, 1, line->len, stdout) != line->len)
			return error_errno(err, "cannot write to the standard output");
	}
	return 0;
}

int
spool_export(const struct config *config, const struct spool_items *files)
{
	static char buffer[1 << 18];
	struct bytes line = {0};
	struct error err;
	int code = COMMAND_OK;
	bool writable = true;

	(void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	for (size_t i = 0; i < files->count && writable; i++) {
		struct spool_source source;
		int run = RUN_RECORDS;
		int rc = spool_source_open(&source, &files->items[i], O_RDONLY, &err);

		if (rc == SPOOL_GONE)
			continue; /* hooksd has stored it by now */
		if (rc < 0) {
			code = spool_complain(files->items[i].path, &err);
			continue;
		}
		while (writable && (run = spool_source_next(&source, &err)) > RUN_END) {
			if (run == RUN_DAMAGE)
				code = COMMAND_FAILED;
			if (run == RUN_RECORDS)
				writable = write_lines(&source.reader, &line, &err) == 0;
		}
		if (run < 0)
			code = spool_complain(files->items[i].path, &err);
		spool_source_close(&source);
	}
	if (writable && fflush(stdout) != 0)
		writable = error_errno(&err, "cannot write to the standard output") == 0;
	bytes_free(&line);
	return writable ? code : spool_complain(NULL, &err);
}
