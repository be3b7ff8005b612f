/* SPDX-License-Identifier: MIT */
/* Why a credential was refused, as an index of counters. */
#ifndef PORTUNUS_SERVER_ACCESS_AUTH_FAILURE_H
#define PORTUNUS_SERVER_ACCESS_AUTH_FAILURE_H

/* Why a client's control stream was refused: what portunus_auth_failures_total counts. */
enum auth_failure {
	AUTH_MISSING_TOKEN,
	AUTH_MALFORMED_TOKEN,
	AUTH_TOKEN_NOT_FOUND,
	AUTH_TOKEN_REVOKED,
	AUTH_INTERNAL,
	AUTH_FAILURES
};

#endif
