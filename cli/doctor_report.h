/*
 * The findings of `hooksctl doctor`. A group of checks runs in a process of its own (cli/doctor.c): it writes findings
 * to a pipe, and the command prints them.
 */
#ifndef CLI_DOCTOR_REPORT_H
#define CLI_DOCTOR_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CHECK(symbol, name) CHECK_##symbol,
enum doctor_check {
#include "cli/doctor_list.def"
	CHECKS
};

/* In ascending order of severity. */
enum doctor_status { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

/* Smaller than PIPE_BUF, so that findings are written to the pipe whole. Longer texts are cut. */
struct doctor_finding {
	enum doctor_check check;
	enum doctor_status status;
	char found[768];
	char fix[256]; /* the remedy; "": none needed */
};

/* Write a finding to the descriptor. fix: the remedy. Texts must not contain secrets. */
void doctor_ok(int out, enum doctor_check check, const char *found, ...) __attribute__((format(printf, 3, 4)));
void doctor_warn(int out, enum doctor_check check, const char *fix, const char *found, ...)
    __attribute__((format(printf, 4, 5)));
void doctor_fail(int out, enum doctor_check check, const char *fix, const char *found, ...)
    __attribute__((format(printf, 4, 5)));

/* Prints findings in columns, one per line. colour: with terminal escapes. */
void doctor_print_text(FILE *out, const struct doctor_finding *findings, size_t count, bool colour);

/* Prints an array of objects with check, status, found and fix. */
void doctor_print_json(FILE *out, const struct doctor_finding *findings, size_t count);

#endif
