/* SPDX-License-Identifier: MIT */
/* ClientEnrollment/Enroll: a code in, credentials out. */
#ifndef PORTUNUS_SERVER_CONTROL_ENROLL_H
#define PORTUNUS_SERVER_CONTROL_ENROLL_H

struct enroll;
struct grpc_call;

/* Takes a call of ClientEnrollment/Enroll and answers it. */
void session_enroll(struct grpc_call *call, struct enroll *enroll);

#endif
