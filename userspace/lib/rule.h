/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_LIB_RULE_H
#define PORTUNUS_LIB_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_TARGETS_MAX	     8
#define RULE_CONNECT_TIMEOUT_MS	     3000 /* for one target, all its addresses */
#define RULE_WALK_TIMEOUT_MS	     10000
#define RULE_PROBE_INTERVAL_SECS_MAX 3600
#define RULE_CONNECT_TIMEOUT_MS_MAX  60000
#define RULE_HEDGE_DELAY_MS_MAX	     60000
#define RULE_IDLE_TIMEOUT_SECS_MAX   (7 * 86400)
#define RULE_ID_MAX		     (1ull << 53) /* beyond it JSON numbers stop being exact */
#define RULE_FILE_MAX_BYTES	     (16u << 20)

enum rule_protocol { RULE_TCP = 1, RULE_UDP = 2 };

/* Which optional members are set: "absent" differs from zero. */
enum rule_field {
	RULE_HAS_ID = 1 << 0,
	RULE_HAS_PREFER_IPV6 = 1 << 1,
	RULE_HAS_PROBE_INTERVAL = 1 << 2,
	RULE_HAS_CONNECT_TIMEOUT = 1 << 3,
	RULE_HAS_HEDGE_DELAY = 1 << 4,
	RULE_HAS_IDLE_TIMEOUT = 1 << 5,
	RULE_HAS_ACK_TIMEOUT = 1 << 6, /* of a push only; neither stored nor compared */
};

struct rule_target {
	char *host; /* as written: a name without trailing dot, "192.0.2.1" or "[2001:db8::1]" */
	uint32_t priority;
	uint16_t port;
};

/*
 * One rule, as pushed, stored and sent. Owned by one holder; rule_free() frees all of it. The order
 * of targets[] is that of the list it came in (rule_parse sorts it, rule_from_proto does not): the
 * index of a target in every report is its row here.
 */
struct rule {
	uint64_t id;
	char *client;	      /* NULL when absent */
	char *listen_address; /* an address literal, or NULL for all addresses of both families */
	char *owner;	      /* NULL when absent */
	uint32_t fields;      /* enum rule_field */
	uint32_t probe_interval_secs;
	uint32_t connect_timeout_ms;
	uint32_t hedge_delay_ms; /* 0: strict, the next candidate only after a failure */
	uint32_t idle_timeout_secs;
	uint64_t ack_timeout_secs;
	uint16_t listen_port;
	uint8_t protocol; /* enum rule_protocol */
	bool prefer_ipv6;
	bool legacy; /* came as target_host/target_port */
	uint8_t n_targets;
	struct rule_target targets[]; /* n_targets of them */
};

/* Why a rule was refused: what the API answers and what a file's reader prints. */
struct rule_error {
	int status; /* HTTP */
	char code[48];
	char message[256]; /* without the code; names the field */
	int row;	   /* of the target it is about, or -1 */
	int line, column;  /* in a file, from 1, columns in bytes; 0 where unknown */
};

struct json_t;

/*
 * Makes a rule of one JSON object in the shape of POST /v1/rules, either shape, and checks all of
 * it: the only validator. Targets are sorted by (priority, row). "client" is optional, and so is
 * "id", which may be 0 because existing servers start there. Unknown keys are ignored (contract);
 * null means absent. Returns the rule, owned by the caller, or NULL with @err filled in. Any thread.
 */
struct rule *rule_parse(const struct json_t *object, struct rule_error *err);

/* As rule_parse(), for the body of an API request: "client" is required and "id" means nothing. */
struct rule *rule_parse_push(const struct json_t *object, struct rule_error *err);

/*
 * Reads a rules file: a JSON array of such objects, at most RULE_FILE_MAX_BYTES. Rules without an
 * id get their listen port as id; ids have to be unique, and listen ports too unless the rules
 * listen on different addresses. On success stores an array of @n rules, both owned by the caller
 * (rules_free). Returns 0, or -errno with @err filled in: for a file that cannot be read that
 * error, for anything wrong in it -EINVAL with line and column of the rule or of the syntax error.
 */
int rules_read_file(const char *path, struct rule ***rules, size_t *n, struct rule_error *err);

/* As rules_read_file(), from @len bytes in memory. */
int rules_read(const char *buf, size_t len, struct rule ***rules, size_t *n,
	       struct rule_error *err);
void rules_free(struct rule **rules, size_t n);

/* The same rule as JSON in the shape of POST /v1/rules (plus "id"); a new reference, NULL for memory. */
struct json_t *rule_to_json(const struct rule *r);

/* An empty rule (TCP) with room for @n_targets, 1..RULE_TARGETS_MAX; NULL for memory. */
struct rule *rule_new(size_t n_targets);
struct rule *rule_dup(const struct rule *r);
void rule_free(struct rule *r);

/*
 * Whether both mean the same to an edge: everything but client, owner and ack time-out. The shape a
 * single target came in, its priority, and the spelling of hosts make no difference.
 */
bool rule_equal(const struct rule *a, const struct rule *b);

/* What applies when a rule says nothing about it. */
static inline uint32_t rule_connect_timeout_ms(const struct rule *r)
{
	return r->fields & RULE_HAS_CONNECT_TIMEOUT ? r->connect_timeout_ms
						    : RULE_CONNECT_TIMEOUT_MS;
}

/* Fills @order with the rows of @r->targets by (priority, row). */
void rule_preference(const struct rule *r, uint8_t order[RULE_TARGETS_MAX]);

/*
 * Compares two host texts as the duplicate check does: names case-insensitively and without their
 * trailing dot, literals by address ("[::1]" is "[0:0::1]").
 */
bool rule_host_equal(const char *a, const char *b);

/*
 * Checks a host by the grammar of the contract (IPv4, bracketed IPv6, or a name). Returns NULL or
 * a static text that says what is wrong; @suffix, if not NULL, gets the contract's code suffix for
 * the legacy shape ("", "_too_long", "_label_too_long", "_label_hyphen").
 */
const char *rule_check_host(const char *host, const char **suffix);

/* Checks a client's display name (400 invalid_name). Returns NULL or what is wrong. */
const char *rule_check_client(const char *name);

#endif
