/* SPDX-License-Identifier: MIT */
/* The web page's files, carried by the program. */
#ifndef PORTUNUS_API_ROUTES_ASSETS_H
#define PORTUNUS_API_ROUTES_ASSETS_H

#include <stddef.h>

/* The files of the web page, made by api/web/build.mjs; without it (WEB=0) there are none. */
struct asset {
	const char *path, *type, *etag;
	const char *plain, *gzip;
	size_t plain_len, gzip_len;
};

extern const struct asset assets[];
extern const size_t n_assets;

#endif
