// SPDX-License-Identifier: MIT
/* What is wrong with a configuration file: every error and warning with its place. */
#include "standalone/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/toml.h"
#include "lib/base/utf8.h"

static void __attribute__((format(printf, 4, 0)))
add(struct problem_list *l, const struct toml_value *at, const char *code, const char *fmt,
    va_list args)
{
	struct problem *p;

	if (l->n++ >= PROBLEMS_MAX)
		return;
	p = &l->list[l->n - 1];
	*p = (struct problem){0};
	if (at) {
		p->line = at->key_line ? at->key_line : at->line;
		p->column = at->key_line ? at->key_column : at->column;
	}
	snprintf(p->code, sizeof(p->code), "%s", code);
	utf8_vformat(p->message, sizeof(p->message), fmt, args);
}

void problem_error(struct problems *p, const struct toml_value *at, const char *code,
		   const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(&p->errors, at, code, fmt, args);
	va_end(args);
}

void problem_warning(struct problems *p, const struct toml_value *at, const char *code,
		     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(&p->warnings, at, code, fmt, args);
	va_end(args);
}

static int by_place(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;

	return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
				  : (x->column > y->column) - (x->column < y->column);
}

static size_t kept(const struct problem_list *l)
{
	return l->n < PROBLEMS_MAX ? l->n : PROBLEMS_MAX;
}

void problems_sort(struct problems *p)
{
	qsort(p->errors.list, kept(&p->errors), sizeof(p->errors.list[0]), by_place);
	qsort(p->warnings.list, kept(&p->warnings), sizeof(p->warnings.list[0]), by_place);
}

static void print(const struct problem_list *l, const char *path, const char *kind)
{
	for (size_t i = 0; i < kept(l); i++) {
		const struct problem *p = &l->list[i];

		if (p->line)
			fprintf(stderr, "%s: %s:%d:%d: %s: %s\n", kind, path, p->line, p->column,
				p->code, p->message);
		else
			fprintf(stderr, "%s: %s: %s: %s\n", kind, path, p->code, p->message);
	}
	if (l->n > PROBLEMS_MAX)
		fprintf(stderr, "%s: %s: and %zu more\n", kind, path, l->n - PROBLEMS_MAX);
}

void problems_print(const struct problems *p, const char *path)
{
	print(&p->warnings, path, "warning");
	print(&p->errors, path, "error");
}
