/* SPDX-License-Identifier: MIT */
/* The methods of HTTP that the API knows. */
#ifndef PORTUNUS_API_CALL_METHOD_H
#define PORTUNUS_API_CALL_METHOD_H

enum method {
	METHOD_GET = 1,
	METHOD_POST = 2,
	METHOD_PUT = 4,
	METHOD_DELETE = 8,
	METHOD_PATCH = 16,
	METHOD_OTHER = 32
};

#define METHODS_WRITING (METHOD_POST | METHOD_PUT | METHOD_DELETE | METHOD_PATCH)

/* "GET", or "OTHER" for all that have no place here. */
const char *method_text(enum method method);
/* METHOD_OTHER for all that have no place here, HEAD among them. */
enum method method_parse(const char *text);

#endif
