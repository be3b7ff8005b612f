// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The basic build of account.bpf.c, for kernels whose only atomic operation is adding (before Linux
 * 5.12): the sockops program with the same maps, and no iterator. advance() of figures.h says why
 * its counts are right all the same.
 */
#define ACCOUNT_BASIC
#include "bpf/account.bpf.c"
