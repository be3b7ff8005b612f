/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_SESSION_ENROLL_H
#define PORTUNUS_SERVER_SESSION_ENROLL_H

struct enroll;
struct grpc_call;

/* Takes a call of ClientEnrollment/Enroll and answers it. */
void session_enroll(struct grpc_call *call, struct enroll *enroll);

#endif
