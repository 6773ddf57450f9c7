/* hooksctl spool export. */
#ifndef CLI_SPOOL_EXPORT_H
#define CLI_SPOOL_EXPORT_H

#include "cli/spool_source.h"

/* Prints the events of the files as lines of JSONL. Returns an exit code. */
int spool_export(const struct config *config, const struct spool_items *files);

#endif
