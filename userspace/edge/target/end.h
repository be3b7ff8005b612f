/* SPDX-License-Identifier: MIT */
/* How a client connection ended, in words. */
#ifndef PORTUNUS_EDGE_TARGET_END_H
#define PORTUNUS_EDGE_TARGET_END_H

/* How a client connection ended; the index of its counter and, as text, in the log. */
enum end_reason {
	END_CLOSED,	   /* both directions saw a FIN */
	END_CLIENT_RESET,  /* a RST, or an error, on the client's side */
	END_TARGET_RESET,  /* the same on the target's */
	END_NO_TARGET,	   /* no target could be connected to */
	END_CLIENT_GONE,   /* the client reset before a target was connected */
	END_IDLE,	   /* idle_timeout_secs */
	END_HALF_CLOSED,   /* half_close_timeout_secs */
	END_DEAD_PEER,	   /* unacknowledged data, nothing heard for the sweep's limit */
	END_DRAINED,	   /* cut at the end of the drain time */
	END_KILLED,	   /* by `drain --kill` */
	END_TARGET_FAILED, /* on_failure "end_sessions": its target has failed */
	END_DENIED,	   /* the rule's allow and deny do not let the client in */
	END_NO_HEADER, /* no header of the PROXY protocol from a balancer that has to send one */
	END_LOOP,      /* came back through too many rules of this edge */
	END_LIMITED,   /* refused at once by a cap of the rule or of its owner */
	END_LOCAL,     /* ours: no memory, no fd */
	END_REASONS,
};
const char *end_reason_text(enum end_reason reason);

#endif
