// SPDX-License-Identifier: MIT
/* The stats socket as the source of the terminal view. */
#include "standalone/live.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "view/lines.h"
#include "view/model.h"
#include "view/view.h"

#define AGAIN_NS NS_PER_SEC

struct live {
	const char *path;
	struct lines lines;
	bool greeted;
	uint64_t tried_ns;
};

static void lose(struct live *l, struct view_model *m, const char *why)
{
	lines_close(&l->lines);
	l->greeted = false;
	m->connected = false;
	utf8_format(m->trouble, sizeof(m->trouble), "%s", why);
}

static void connect_again(struct live *l, struct view_model *m)
{
	uint64_t now = clock_mono_ns();
	int err;

	if (l->tried_ns && now - l->tried_ns < AGAIN_NS)
		return;
	l->tried_ns = now;
	err = lines_open(&l->lines, l->path);
	if (err)
		lose(l, m, strerror(-err));
}

static bool take(struct live *l, struct view_model *m, const json_t *line)
{
	if (l->greeted)
		return view_take_snapshot(m, line);
	l->greeted = m->connected = view_take_hello(m, line);
	return l->greeted;
}

/* @m NULL: the view stands still, and what comes is thrown away. */
static void step(void *arg, struct view_model *m)
{
	struct live *l = arg;
	json_t *line;
	int rc = 0;

	if (l->lines.fd < 0 && m)
		connect_again(l, m);
	while (l->lines.fd >= 0 && (rc = lines_next(&l->lines, &line)) > 0) {
		bool good = !m || take(l, m, line);

		json_decref(line);
		if (!good)
			lose(l, m, "it speaks another version");
	}
	if (rc < 0 && m)
		lose(l, m,
		     rc == -ECONNRESET ? "the daemon has ended the connection" : strerror(-rc));
	else if (rc < 0)
		lines_close(&l->lines);
	if (l->lines.fd < 0)
		l->greeted = false;
}

static int fd_of(void *arg)
{
	const struct live *l = arg;

	return l->lines.fd;
}

int live_run(const char *path)
{
	struct live l = {.path = path, .lines.fd = -1};
	const struct view_source source = {.step = step, .fd = fd_of, .arg = &l};
	int status = view_run(&source);

	lines_close(&l.lines);
	return status;
}
