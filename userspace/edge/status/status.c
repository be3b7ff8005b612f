// SPDX-License-Identifier: MIT
/* The local view: its socket, who is let in, and the parts it is made of. */
#include "edge/status/status.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "edge/status/answer.h"
#include "edge/status/client.h"
#include "edge/status/door.h"
#include "edge/status/listen.h"
#include "edge/status/metrics_http.h"
#include "lib/base/log.h"

/* The verbs know the answer "busy" by its beginning, and try again for a while. */
static const char busy[] = "{\"error\":{\"code\":\"busy\",\"message\":"
			   "\"32 others ask just now; try again\"}}\n";

/* Main thread. */
struct status {
	struct status_config config;
	char *path;
	dev_t dev; /* of the socket file we made */
	ino_t ino;
	int fd;
	struct answers *answers;
	struct door door;
	struct client_list clients;
	struct metrics_http *metrics; /* NULL: not asked for */
};

static size_t line_len(struct evbuffer *in)
{
	struct evbuffer_ptr end = evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);

	return end.pos < 0 ? 0 : (size_t)end.pos + 1;
}

static const struct client_kind lines = {line_len, true, busy};

/* Without it everything else goes on, the local view too. */
static void serve_metrics(struct status *s)
{
	int err = metrics_http_open(&s->metrics, s->config.metrics, s->config.base, s->answers);

	if (err)
		log_event(LOG_WARN, "metrics.unavailable", LOGF_STR("listen", s->config.metrics),
			  LOGF_STR("error", strerror(-err)),
			  LOGF_STR("hint", "nobody can scrape this edge; see --metrics-listen"));
}

struct status *status_new(const struct status_config *config)
{
	struct status *s = calloc(1, sizeof(*s));
	int err = ENOMEM;

	if (!s)
		return NULL;
	s->config = *config;
	s->path = strdup(config->path);
	if (!s->path)
		goto err_free;
	s->answers = answers_new(&s->config);
	if (!s->answers) {
		err = errno;
		goto err_free;
	}
	client_list_init(&s->clients, config->base, &lines, answer_handle, s->answers);
	s->fd = status_listen(s->path, &s->dev, &s->ino);
	if (s->fd < 0) {
		err = -s->fd;
		goto err_answers;
	}
	if (!door_open(&s->door, s->fd, &s->clients)) {
		if (config->metrics)
			serve_metrics(s);
		return s;
	}
	status_unlisten(s->fd, s->path, s->dev, s->ino);
	err = ENOMEM;

err_answers:
	answers_free(s->answers);
err_free:
	free(s->path);
	free(s);
	errno = err;
	return NULL;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	metrics_http_close(s->metrics);
	client_list_end(&s->clients);
	answers_free(s->answers);
	door_close(&s->door);
	status_unlisten(s->fd, s->path, s->dev, s->ino);
	free(s->path);
	free(s);
}
