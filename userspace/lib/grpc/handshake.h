/* SPDX-License-Identifier: MIT */
/* From a connected socket to a running HTTP/2 session: the TLS handshake, in both roles. */
#ifndef PORTUNUS_LIB_GRPC_HANDSHAKE_H
#define PORTUNUS_LIB_GRPC_HANDSHAKE_H

struct grpc_conn;
struct ssl_st;

/* From a connected socket to h2conn_start(); takes @fd and @ssl whatever comes. */
void h2conn_handshake(struct grpc_conn *c, int fd, struct ssl_st *ssl);

#endif
