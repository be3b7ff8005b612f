// SPDX-License-Identifier: MIT
/* The local view's socket file: made without displacing a living daemon, and removed again. */
#include "edge/status/listen.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

/* 0 when nobody answers on the socket file, and that is gone now. */
static int remove_stale(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	/* EAGAIN: it lives, and its queue is full. */
	if (!connect(fd, (const struct sockaddr *)at, sizeof(*at)) || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno != ENOENT && errno != ECONNREFUSED)
		err = -errno;
	close(fd);
	if (err || lstat(at->sun_path, &st) < 0)
		return err;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	return unlink(at->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int make_parent(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(copy, sizeof(copy), "%s", path);
	return mkdir(dirname(copy), 0750) < 0 && errno != EEXIST ? -errno : 0;
}

int status_listen(const char *path, dev_t *dev, ino_t *ino)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, err;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	err = make_parent(path);
	if (!err)
		err = remove_stale(&at);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The file is made with the socket's mode, less the umask: never wider than meant. */
	if (fchmod(fd, 0660) < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		goto err;
	if (chmod(path, 0660) < 0 || stat(path, &st) < 0 || listen(fd, BACKLOG) < 0)
		goto err_file;
	*dev = st.st_dev;
	*ino = st.st_ino;
	return fd;

err_file:
	err = errno;
	unlink(path);
	errno = err;
err:
	err = -errno;
	close(fd);
	return err;
}

void status_unlisten(int fd, const char *path, dev_t dev, ino_t ino)
{
	struct stat st;

	if (!lstat(path, &st) && st.st_dev == dev && st.st_ino == ino)
		unlink(path);
	close(fd);
}
