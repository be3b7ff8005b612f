/* SPDX-License-Identifier: MIT */
/* What a browser gets outside of /v1: the web page and its files. */
#ifndef PORTUNUS_API_ROUTES_PAGE_H
#define PORTUNUS_API_ROUTES_PAGE_H

/* Handlers of everything outside of /v1; each answers its call. */
struct call;

void page_get(struct call *c);

#endif
