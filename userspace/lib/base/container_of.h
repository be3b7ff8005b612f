/* SPDX-License-Identifier: MIT */
/* From a member that was embedded to the object around it. */
#ifndef PORTUNUS_LIB_BASE_CONTAINER_OF_H
#define PORTUNUS_LIB_BASE_CONTAINER_OF_H

#include <stddef.h>

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
