/*
 * Writes the write-ahead log into the database, in place of SQLite's autocheckpoint. The call that has committed writes
 * a short log, as SQLite does. A reader's transaction can make the log long. A thread with its own connection then
 * writes it piece by piece, so that no commit waits for all of it.
 */
#ifndef STORE_SQLITE_SQLITE_CHECKPOINTER_H
#define STORE_SQLITE_SQLITE_CHECKPOINTER_H

#include <sqlite3.h>
#include <stdbool.h>

struct sqlite_checkpointer;

/*
 * For the open connection, which gives up its autocheckpoint. fd is a descriptor of the database, for which O_PATH
 * suffices; it is borrowed until sqlite_checkpointer_stop(). The thread starts when it is needed.
 */
struct sqlite_checkpointer *sqlite_checkpointer_start(sqlite3 *db, int fd);

/*
 * Call it after a commit, with the write turn. Writes the short rest of a long log: without the turn a commit of
 * another process during each checkpoint could keep the log from ever beginning anew.
 */
void sqlite_checkpointer_in_turn(struct sqlite_checkpointer *checkpointer);

/* Call it then, without the write turn. A failure is logged, and the pages stay in the log. */
void sqlite_checkpointer_after_commit(struct sqlite_checkpointer *checkpointer);

/* Interrupts and ends the thread, and frees all. Call it before the connection is closed. NULL is allowed. */
void sqlite_checkpointer_stop(struct sqlite_checkpointer *checkpointer);

#endif
