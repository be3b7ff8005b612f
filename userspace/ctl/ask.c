// SPDX-License-Identifier: MIT
/* The client's side of the local view: one question over the Unix socket, one answer. */
#include "ctl/ask.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/call.h"

/* How an answer begins that says to come back. */
#define BUSY	     "{\"error\":{\"code\":\"busy\""
#define BUSY_WAIT_MS 200
#define BUSY_RETRIES 15

/* Connected, with a time-out on each call; or -errno. */
static int dial(const struct verb_call *call)
{
	static const struct timeval limit = {.tv_sec = 10};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(call->socket) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, call->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

bool verb_daemon_lives(const struct verb_call *call)
{
	int fd = dial(call);

	if (fd >= 0)
		close(fd);
	/* EAGAIN: it lives, but its queue stayed full. */
	return fd >= 0 || fd == -EAGAIN;
}

static void say_no_daemon(const struct verb_call *call, int err)
{
	const char *name = call->instance;

	if (err == -ENOENT || err == -ECONNREFUSED)
		fprintf(stderr,
			"error: no portunus-client runs%s%s (nobody answers on %s); start it with: portunus-client --rules FILE, or --bundle FILE%s%s\n",
			*name ? " as instance " : "", name, call->socket,
			*name ? " --instance " : "", name);
	else if (err == -EACCES)
		fprintf(stderr,
			"error: %s: permission denied; use root, or a member of the socket's group\n",
			call->socket);
	else if (err == -EAGAIN)
		fprintf(stderr, "error: portunus-client does not answer on %s\n", call->socket);
	else
		fprintf(stderr, "error: %s: %s\n", call->socket, strerror(-err));
}

/* All up to the end, NUL-terminated. NULL with errno set. */
static char *read_all(int fd)
{
	size_t n = 0, room = 65536;
	char *text = malloc(room);

	while (text) {
		ssize_t got = recv(fd, text + n, room - n - 1, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && !(errno == ECONNRESET && n)) {
			free(text);
			return NULL;
		}
		if (got <= 0) {
			text[n] = '\0';
			return text;
		}
		n += (size_t)got;
		if (room - n < 65536) {
			char *more = realloc(text, room *= 2);

			if (!more) {
				free(text);
				errno = ENOMEM;
				return NULL;
			}
			text = more;
		}
	}
	errno = ENOMEM;
	return NULL;
}

/* Whether the answer is an error, which is then on stderr. */
static bool say_error(const char *text)
{
	const char *code = NULL, *message = NULL;
	json_t *answer;

	/* The daemon writes this member first, and nothing else with it. */
	if (strncmp(text, "{\"error\":", 9))
		return false;
	answer = json_loads(text, 0, NULL);
	if (json_unpack(answer, "{s:{s:s, s:s}}", "error", "code", &code, "message", &message) < 0)
		code = message = "unknown";
	fprintf(stderr, "error: %s (%s)\n", code, message);
	json_decref(answer);
	return true;
}

/* One attempt: the whole answer, or NULL with what is wrong on stderr. */
static char *ask_once(const struct verb_call *call, const char *line)
{
	int fd = dial(call);
	char *text = NULL;
	size_t len;

	if (fd < 0) {
		say_no_daemon(call, fd);
		return NULL;
	}
	/* A daemon that refuses closes without reading; its answer says why. */
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		say_no_daemon(call, -errno);
	else if (!(text = read_all(fd)))
		say_no_daemon(call, -errno);
	close(fd);
	if (!text)
		return NULL;
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		return text;
	fprintf(stderr, "error: portunus-client ended in the middle of its answer\n");
	free(text);
	return NULL;
}

/* "{…}" and a newline; NULL for want of memory. Takes @request over. */
static char *request_line(json_t *request)
{
	char *json = request ? json_dumps(request, JSON_COMPACT) : NULL, *line = NULL;

	json_decref(request);
	if (json && asprintf(&line, "%s\n", json) < 0)
		line = NULL;
	free(json);
	return line;
}

char *verb_ask(const struct verb_call *call, json_t *request)
{
	char *line = request_line(request), *text;
	int patience = BUSY_RETRIES;

	if (!line) {
		fprintf(stderr, "error: out of memory\n");
		return NULL;
	}
	text = ask_once(call, line);
	while (text && !strncmp(text, BUSY, strlen(BUSY)) && patience--) {
		free(text);
		usleep(BUSY_WAIT_MS * 1000);
		text = ask_once(call, line);
	}
	free(line);
	if (text && say_error(text)) {
		free(text);
		text = NULL;
	}
	return text;
}

json_t *verb_ask_json(const struct verb_call *call, json_t *request)
{
	char *text = verb_ask(call, request);
	json_error_t err;
	json_t *answer;

	if (!text)
		return NULL;
	answer = json_loads(text, 0, &err);
	if (!answer)
		fprintf(stderr, "error: the answer of portunus-client is no JSON: %s\n", err.text);
	free(text);
	return answer;
}
