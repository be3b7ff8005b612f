// SPDX-License-Identifier: MIT
/* The tar of a full backup: a store and what belongs with it, and nothing else. */
#include "server/backup/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "lib/base/atomic_file.h"
#include "lib/base/utf8.h"
#include "server/backup/parts.h"
#include "server/store/copy.h"

#define BLOCK (64 * 1024)

/* ---- writing ---- */

static int write_error(struct archive *a, char *why, size_t why_size)
{
	int err = archive_errno(a);

	utf8_format(why, why_size, "cannot write the backup: %s", archive_error_string(a));
	return err > 0 ? -err : -EIO;
}

static int write_header(struct archive *a, const char *name, int64_t size)
{
	struct archive_entry *e = archive_entry_new();
	int rc = ARCHIVE_FATAL;

	if (e) {
		archive_entry_set_pathname(e, name);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0600);
		archive_entry_set_size(e, size);
		archive_entry_set_mtime(e, time(NULL), 0);
		rc = archive_write_header(a, e);
	}
	archive_entry_free(e);
	return rc;
}

static int write_data(struct archive *a, const void *data, size_t n)
{
	return archive_write_data(a, data, n) == (la_ssize_t)n ? ARCHIVE_OK : ARCHIVE_FATAL;
}

static int write_store(struct archive *a, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ARCHIVE_FATAL;
	char *block = malloc(BLOCK);
	struct stat st;
	ssize_t n;

	if (fd >= 0 && block && !fstat(fd, &st))
		rc = write_header(a, STORE_FILE, st.st_size);
	while (rc == ARCHIVE_OK && (n = read(fd, block, BLOCK)) != 0)
		rc = n < 0 ? ARCHIVE_FATAL : write_data(a, block, (size_t)n);
	if (rc != ARCHIVE_OK && !archive_errno(a))
		archive_set_error(a, errno, "%s", strerror(errno));
	free(block);
	if (fd >= 0)
		close(fd);
	return rc;
}

int archive_write_all(int out, const struct parts *parts, const char *store, char *why,
		      size_t why_size)
{
	struct archive *a = archive_write_new();
	int rc = ARCHIVE_FATAL, err = 0;

	if (!a)
		return -ENOMEM;
	if (archive_write_set_format_pax_restricted(a) == ARCHIVE_OK &&
	    archive_write_open_fd(a, out) == ARCHIVE_OK)
		rc = ARCHIVE_OK;
	for (int i = 0; i < PARTS && rc == ARCHIVE_OK; i++) {
		if (!parts->data[i])
			continue;
		rc = write_header(a, part_names[i], (int64_t)parts->len[i]);
		if (rc == ARCHIVE_OK)
			rc = write_data(a, parts->data[i], parts->len[i]);
	}
	if (rc == ARCHIVE_OK)
		rc = write_store(a, store);
	if (rc == ARCHIVE_OK)
		rc = archive_write_close(a);
	if (rc != ARCHIVE_OK)
		err = write_error(a, why, why_size);
	archive_write_free(a);
	return err;
}

/* ---- reading ---- */

struct reading {
	struct archive *a;
	int dir;
	struct parts *parts;
	bool store;
	char *why;
	size_t why_size;
};

static int refuse(struct reading *r, const char *name, const char *what)
{
	utf8_format(r->why, r->why_size, "it is no backup of Portunus: '%.80s' %s", name, what);
	return -EUCLEAN;
}

/* libarchive knows no difference between the archive's fault and that of the disk that it is on. */
static int read_error(struct reading *r)
{
	utf8_format(r->why, r->why_size, "the backup cannot be read to its end: %s",
		    archive_error_string(r->a));
	return archive_errno(r->a) == EIO ? -EIO : -EUCLEAN;
}

/* A hole costs an archive nothing and its reader a disk, so that there may be none. */
static int take_data(struct reading *r, const char *name, int64_t size, int fd)
{
	const void *data;
	int64_t at = 0;
	la_int64_t offset;
	size_t n;
	int rc, err = 0;

	while ((rc = archive_read_data_block(r->a, &data, &n, &offset)) == ARCHIVE_OK && !err) {
		if (offset != at)
			return refuse(r, name, "has holes");
		at += (int64_t)n;
		err = file_write_all(fd, data, n);
		if (err)
			utf8_format(r->why, r->why_size, "cannot write %s: %s", name,
				    strerror(-err));
	}
	if (err)
		return err;
	if (rc != ARCHIVE_EOF)
		return read_error(r);
	return at == size ? 0 : refuse(r, name, "has holes");
}

/* The part's content, from the file that it was just unpacked to. */
static int keep_part(struct reading *r, int part, int fd, size_t size)
{
	char *data = malloc(size + 1);

	if (!data)
		return -ENOMEM;
	if (pread(fd, data, size, 0) != (ssize_t)size) {
		free(data);
		return -EIO;
	}
	data[size] = '\0';
	r->parts->data[part] = data;
	r->parts->len[part] = size;
	return 0;
}

static int unpack(struct reading *r, const char *name, int part, int64_t size)
{
	int fd = openat(r->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0) {
		err = -errno;
		utf8_format(r->why, r->why_size, "cannot make %s: %s", name, strerror(-err));
		return err;
	}
	err = take_data(r, name, size, fd);
	if (!err && part < PARTS)
		err = keep_part(r, part, fd, (size_t)size);
	r->store |= part == PARTS;
	close(fd);
	return err;
}

static int take_entry(struct reading *r, struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e);
	int64_t size = archive_entry_size(e);
	int part = 0;

	if (!name)
		return refuse(r, "?", "is no name");
	while (part < PARTS && strcmp(name, part_names[part]))
		part++;
	if (part == PARTS && strcmp(name, STORE_FILE))
		return refuse(r, name, "does not belong there");
	if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) ||
	    archive_entry_symlink(e))
		return refuse(r, name, "is no plain file");
	if (part < PARTS ? r->parts->data[part] != NULL : r->store)
		return refuse(r, name, "is there twice");
	if (part < PARTS && (size < 0 || size > PART_SIZE_MAX))
		return refuse(r, name, "is too large");
	return unpack(r, name, part, size);
}

int archive_read_all(int in, int dir, struct parts *parts, char *why, size_t why_size)
{
	struct reading r = {.a = archive_read_new(),
			    .dir = dir,
			    .parts = parts,
			    .why = why,
			    .why_size = why_size};
	struct archive_entry *e;
	int rc, err = 0;

	if (!r.a)
		return -ENOMEM;
	/* Tar alone, and nothing that it would be packed in. */
	if (archive_read_support_format_tar(r.a) != ARCHIVE_OK ||
	    archive_read_open_fd(r.a, in, BLOCK) != ARCHIVE_OK)
		err = read_error(&r);
	while (!err && (rc = archive_read_next_header(r.a, &e)) != ARCHIVE_EOF)
		err = rc == ARCHIVE_OK ? take_entry(&r, e) : read_error(&r);
	if (!err && !r.store)
		err = refuse(&r, STORE_FILE, "is missing");
	archive_read_free(r.a);
	return err;
}
