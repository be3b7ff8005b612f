/* SPDX-License-Identifier: MIT */
/* The rule as a value: making, copying, ordering it. */
#ifndef PORTUNUS_LIB_RULE_RULE_H
#define PORTUNUS_LIB_RULE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rule/host.h"
#include "lib/rule/limit.h"

#define RULE_TARGETS_MAX	     8
#define RULE_CONNECT_TIMEOUT_MS	     3000 /* for one target, all its addresses */
#define RULE_WALK_TIMEOUT_MS	     10000 /* for all targets, unless their time-outs need more … */
#define RULE_WALK_TIMEOUT_MS_MAX     120000 /* … up to this */
#define RULE_PROBE_INTERVAL_SECS_MAX 3600
#define RULE_CONNECT_TIMEOUT_MS_MAX  60000
#define RULE_HEDGE_DELAY_MS_MAX	     60000
#define RULE_IDLE_TIMEOUT_SECS_MAX   (7 * 86400)
#define RULE_HALF_CLOSE_SECS_MAX     86400
#define RULE_UDP_IDLE_SECS_MAX	     86400
#define RULE_UDP_FLOWS_MAX	     (1u << 20)
#define RULE_UDP_REPLY_MS_MIN	     100
#define RULE_UDP_REPLY_MS_MAX	     60000
#define RULE_ID_MAX		     (1ull << 53) /* beyond it JSON numbers stop being exact */
#define RULE_WEIGHT_MAX		     256
#define RULE_TALK_BYTES_MAX	     1024 /* that a health check sends, or expects */
#define RULE_UDP_ID		     65536 /* in a file a UDP rule without an id has this and its port */
#define RULE_BLOCKS_MAX		     4096 /* of addresses, in each list */
#define RULE_FILE_MAX_BYTES	     (16u << 20)

/* Which header of the PROXY protocol a target gets; the numbers are those of the wire. */
enum rule_proxy { RULE_PROXY_NONE, RULE_PROXY_V1, RULE_PROXY_V2 };

/* What a header of version 2 says beside the addresses: bits, as on the wire. */
enum rule_tlv { RULE_TLV_UNIQUE_ID = 1 << 0, RULE_TLV_AUTHORITY = 1 << 1 };

/* Whether clients come through balancers that send a header; the numbers are those of the wire. */
enum rule_accept { RULE_ACCEPT_OFF, RULE_ACCEPT_OPTIONAL, RULE_ACCEPT_REQUIRED };

enum rule_protocol { RULE_TCP = 1, RULE_UDP = 2 };

/* Who of the targets of equal priority takes a connection; the numbers are those of the wire. */
enum rule_balance {
	RULE_BALANCE_ORDER, /* the first row that works: priorities and rows say it all */
	RULE_BALANCE_ROUND_ROBIN,
	RULE_BALANCE_LEAST,
	RULE_BALANCE_HASH, /* of the client's address */
	RULE_BALANCES
};

/* When a target that accepts and then resets counts as Failed. */
struct rule_eject {
	uint32_t resets;      /* so many … 0: never */
	uint32_t window_secs; /* … within so long */
	uint32_t for_secs;    /* no sooner is it checked again */
};

/* What a health check says beyond a connect, as written (rule_unescape()); NULL: nothing. */
struct rule_talk {
	char *send, *expect;
	uint16_t port; /* of targets without a check_port of their own; 0: as these have it */
	bool tls;
};

/* Who moves the bytes of an established connection; the numbers are those of the wire. */
enum rule_relay {
	RULE_RELAY_NONE, /* the rule says nothing: as with "user" */
	RULE_RELAY_AUTO,
	RULE_RELAY_USER,
	RULE_RELAY_KERNEL,
};

/* Which optional members are set: "absent" differs from zero. */
enum rule_field {
	RULE_HAS_ID = 1 << 0,
	RULE_HAS_PREFER_IPV6 = 1 << 1,
	RULE_HAS_PROBE_INTERVAL = 1 << 2,
	RULE_HAS_CONNECT_TIMEOUT = 1 << 3,
	RULE_HAS_HEDGE_DELAY = 1 << 4,
	RULE_HAS_IDLE_TIMEOUT = 1 << 5,
	RULE_HAS_ACK_TIMEOUT = 1 << 6, /* of a push only; neither stored nor compared */
	RULE_HAS_HALF_CLOSE = 1 << 7,
	RULE_HAS_UDP_IDLE = 1 << 8,
	RULE_HAS_UDP_MAX_FLOWS = 1 << 9,
	RULE_HAS_UDP_REPLY_TIMEOUT = 1 << 10,
	RULE_HAS_RATE_LIMIT = 1 << 11, /* an empty envelope is one, and is shown as such */
};

struct rule_blocks;

struct rule_target {
	char *host; /* as written: a name without trailing dot, "192.0.2.1" or "[2001:db8::1]" */
	uint32_t priority;
	uint16_t port;
	uint8_t proxy;	     /* enum rule_proxy */
	uint16_t weight;     /* among those of equal priority; 0 and 1: the usual share */
	uint8_t tlvs;	     /* enum rule_tlv */
	uint16_t check_port; /* that checks connect to by TCP; 0: as the rule's protocol has it */
	bool same_port;	     /* of a range: every port of the rule leads to the one port */
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
	char *sni_pattern;    /* the server name that leads to it, as rule_check_sni(); NULL: any */
	/* What connections to targets come from, at most one address of each family; NULL: not given. */
	struct rule_blocks *source_address;
	char *source_interface, *listen_interface;
	char *congestion_control;
	/* Who may come: the longest prefix decides, of equal ones deny. NULL: not given. */
	struct rule_blocks *allow, *deny;
	struct rule_blocks *accept_proxy_from; /* whose headers are believed; NULL: nobody's */
	uint32_t fields;		       /* enum rule_field */
	uint32_t probe_interval_secs;
	uint32_t connect_timeout_ms;
	uint32_t hedge_delay_ms; /* 0: strict, the next candidate only after a failure */
	uint32_t idle_timeout_secs;
	uint32_t half_close_timeout_secs;
	uint32_t udp_flow_idle_secs;   /* a flow without a datagram ends after it */
	uint32_t udp_max_flows;	       /* of the rule, over all workers */
	uint32_t udp_reply_timeout_ms; /* without an answer for so long a target has failed */
	uint64_t ack_timeout_secs;
	struct rule_eject eject;
	struct rule_talk talk;
	struct rate_limit limit; /* caps of all its connections and flows together */
	uint16_t listen_port;
	uint16_t listen_port_end; /* of a range, both ends included; 0: one port (span.h) */
	uint8_t protocol;	  /* enum rule_protocol */
	uint8_t relay;		  /* enum rule_relay */
	uint8_t balance;	  /* enum rule_balance */
	bool end_sessions;	  /* of a target that becomes Failed */
	bool manual_failback;	  /* a better target that recovers waits to be told */
	bool prefer_ipv6;
	uint8_t accept_proxy;	 /* enum rule_accept */
	bool health_check_proxy; /* checks send a header, too, that names nobody */
	bool fallback_non_tls;	 /* as fallback of an SNI port it takes what is not TLS as well */
	bool legacy;		 /* came as target_host/target_port */
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
 * "id", which may be 0 because existing servers start there. Unknown keys are ignored (contract; see
 * rule_unknown_keys());
 * null means absent. Returns the rule, owned by the caller, or NULL with @err filled in. Any thread.
 */
struct rule *rule_parse(const struct json_t *object, struct rule_error *err);

/* rule_parse() with @prefix before every message; @push as rule_parse_push(). */
struct rule *rule_parse_at(const struct json_t *object, bool push, const char *prefix,
			   struct rule_error *err);

/* As rule_parse(), for the body of an API request: "client" is required and "id" means nothing. */
struct rule *rule_parse_push(const struct json_t *object, struct rule_error *err);

/* Calls @found with each key in @object that rule_parse() (with @push rule_parse_push()) does not know
 * and ignores. */
void rule_unknown_keys(const struct json_t *object, bool push, rule_unknown_key *found, void *arg);

/*
 * Reads a rules file: a JSON array of such objects, at most RULE_FILE_MAX_BYTES, in which an unknown key is an
 * error. Rules without an
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

/* A target's TLVs as an array of their words; a new reference, NULL for memory. */
struct json_t *rule_tlvs_json(uint8_t bits);

/* An empty rule (TCP) with room for @n_targets, 1..RULE_TARGETS_MAX; NULL for memory. */
struct rule *rule_new(size_t n_targets);
struct rule *rule_dup(const struct rule *r);
void rule_free(struct rule *r);

/*
 * Whether both mean the same to an edge: everything but client, owner and ack time-out. The shape a
 * single target came in, its priority, weight and check_port, and the spelling of hosts make no difference.
 */
bool rule_equal(const struct rule *a, const struct rule *b);
/* The same, and a single target says the same too: for those who keep rules, not those who forward by them. */
bool rule_equal_kept(const struct rule *a, const struct rule *b);
/* As rule_equal(), whatever their caps. */
bool rule_equal_but_caps(const struct rule *a, const struct rule *b);

/* What applies when a rule says nothing about it. */
static inline uint32_t rule_connect_timeout_ms(const struct rule *r)
{
	return r->fields & RULE_HAS_CONNECT_TIMEOUT ? r->connect_timeout_ms
						    : RULE_CONNECT_TIMEOUT_MS;
}

static inline unsigned rule_weight(const struct rule_target *t)
{
	return t->weight ? t->weight : 1;
}

/* Whether the targets have no place in target_host and target_port: there are several, or one says more. What a target
 * says that is alone may mean nothing yet; it is kept for when there are others. */
static inline bool rule_needs_list(const struct rule *r)
{
	const struct rule_target *t = &r->targets[0];

	return r->n_targets > 1 || t->proxy || t->same_port || t->priority || t->check_port ||
	       rule_weight(t) != 1;
}

/* "order" and so on, as in JSON; "?" for what is none. */
const char *rule_balance_text(unsigned balance);

/* The port that checks of a target connect to by TCP; 0: its own, by the rule's protocol. */
static inline uint16_t rule_check_port(const struct rule *r, const struct rule_target *t)
{
	return t->check_port ? t->check_port : r->talk.port;
}

/* Whether a connect alone does not make a check succeed. */
static inline bool rule_talks(const struct rule *r)
{
	return r->talk.send || r->talk.expect || r->talk.tls;
}

/* "v1", "v2", or NULL for none. */
static inline const char *rule_proxy_text(uint8_t proxy)
{
	return proxy == RULE_PROXY_V1 ? "v1" : proxy == RULE_PROXY_V2 ? "v2" : (const char *)0;
}

static inline const char *rule_accept_text(uint8_t accept)
{
	return accept == RULE_ACCEPT_REQUIRED	? "required"
	       : accept == RULE_ACCEPT_OPTIONAL ? "optional"
						: "off";
}

/* "auto", "user", "kernel", or NULL for none. */
static inline const char *rule_relay_text(uint8_t relay)
{
	return relay == RULE_RELAY_AUTO	    ? "auto"
	       : relay == RULE_RELAY_USER   ? "user"
	       : relay == RULE_RELAY_KERNEL ? "kernel"
					    : (const char *)0;
}

/* Whether connections of the rule may leave user space. */
static inline bool rule_relay_wanted(const struct rule *r)
{
	return r->relay == RULE_RELAY_AUTO || r->relay == RULE_RELAY_KERNEL;
}

/* Fills @order with the rows of @r->targets by (priority, row). */
void rule_preference(const struct rule *r, uint8_t order[RULE_TARGETS_MAX]);

/* How long the walk over all targets may take: at least what their time-outs one after the other need. */
static inline uint32_t rule_walk_timeout_ms(const struct rule *r)
{
	uint64_t sum = (uint64_t)rule_connect_timeout_ms(r) * r->n_targets;

	if (sum < RULE_WALK_TIMEOUT_MS)
		return RULE_WALK_TIMEOUT_MS;
	return sum < RULE_WALK_TIMEOUT_MS_MAX ? (uint32_t)sum : RULE_WALK_TIMEOUT_MS_MAX;
}

#endif
