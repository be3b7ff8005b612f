/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_BENCH_LOAD_H
#define PORTUNUS_BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * The first byte a client sends chooses what the backend does with the connection:
 *   SVC_NAME   answer one byte, '0' + index of the port it came in by, and close
 *   SVC_ECHO   send back everything, this byte included
 *   SVC_SOURCE send until the client closes
 *   SVC_SINK   read until the client closes
 *   SVC_HELLO  a ClientHello: as SVC_NAME
 *   SVC_PROXY  a header of the PROXY protocol, version 2; what comes after it chooses
 */
enum {
	SVC_NAME = 'i',
	SVC_ECHO = 'e',
	SVC_SOURCE = 'd',
	SVC_SINK = 'u',
	SVC_HELLO = 0x16,
	SVC_PROXY = 0x0d
};

#define LOAD_PORTS_MAX 16
#define LOAD_PIDS_MAX  512
#define LOAD_BUFFER    (256 * 1024)

/* What the command line says; owned by main(), read by everyone. */
struct load_options {
	struct sockaddr_in to;
	uint16_t ports[LOAD_PORTS_MAX];
	int n_ports;
	pid_t pids[LOAD_PIDS_MAX]; /* the processes whose CPU time belongs to the sample */
	int n_pids;
	int concurrency;   /* streams, connections in flight, or connections to hold */
	int count;	   /* paced: connections in all; 0: until the time is up */
	int size;	   /* bytes per message */
	const char *hello; /* conn: a ClientHello with this name instead of one byte */
	double rate;	   /* paced: connections per second; 0: one after the other */
	double warm_up, seconds;
	bool upload;
};

/* cpu.c: CPU time, read at both ends of the measured window. */
struct cpu_mark {
	uint64_t wall_ns;
	uint64_t proxy_ns; /* run time of every thread of the given processes */
	uint64_t idle_ns;  /* of all CPUs: idle, waiting for I/O, or stolen */
};
int cpu_read(struct cpu_mark *m, const pid_t *pids, int n_pids);
int cpu_online(void);

/* sample.c: one measured window with its latencies. */
struct sample {
	const struct load_options *opt;
	uint64_t start_at, end_at; /* clock_mono_ns() */
	bool measuring;
	struct cpu_mark from, till;
	uint64_t ops, bytes, errors;
	uint32_t *latency; /* ns, in order of arrival */
	size_t n_latency, room;
};

void sample_begin(struct sample *s, const struct load_options *opt);
/* Moves from warm-up to measuring to over; false when over. Call it between operations. */
bool sample_goes_on(struct sample *s, uint64_t now_ns);
void sample_latency(struct sample *s, uint64_t ns);
/* Prints the sample as one JSON line and frees it. Returns the exit code. */
int sample_print(struct sample *s);

/* net.c */
int net_listen(uint16_t port);
/* A non-blocking or blocking client socket; connect() has been called. *err is 0, EINPROGRESS or the error. */
int net_connect(const struct sockaddr_in *to, bool blocking, int *err);
void net_want(int epoll, int op, int fd, uint32_t events);
int die(const char *what);

/* hello.c: a TLS 1.3 ClientHello for @name; its length in bytes. */
#define HELLO_MAX 1024
size_t hello_make(uint8_t out[HELLO_MAX], const char *name);

/* The verbs; each returns the exit code. */
int verb_serve(const struct load_options *opt);
int verb_bulk(const struct load_options *opt);
int verb_conn(const struct load_options *opt);
int verb_ping(const struct load_options *opt);
int verb_hold(const struct load_options *opt);
int verb_paced(const struct load_options *opt);
int verb_await(const struct load_options *opt);
int verb_udp_serve(const struct load_options *opt);
int verb_udp_ping(const struct load_options *opt);
int verb_udp_bulk(const struct load_options *opt);
int verb_udp_hold(const struct load_options *opt);

#endif
