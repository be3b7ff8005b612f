/* SPDX-License-Identifier: MIT */
/*
 * The figures of one record, each with what several of them add up to: the one list of which the
 * kernel's record, user space's copy, the sums and the local view's JSON are made. X(name, kind), or
 * A(name, kind, length). Bytes are TCP payload bytes; the order is the map's layout.
 */
#ifndef PORTUNUS_BPF_RECORD_H
#define PORTUNUS_BPF_RECORD_H

#define ACCOUNT_HIST_LEN 20

#define ACCOUNT_FIGURES(X, A)                                                                    \
	X(bytes_in, SUM)     /* acknowledged by the target */                                    \
	X(bytes_out, SUM)    /* acknowledged by the client */                                    \
	X(received_in, SUM)  /* received from clients */                                         \
	X(received_out, SUM) /* received from the target */                                      \
	X(attempted, SUM)    /* connects that sent a SYN */                                      \
	X(ok, SUM)                                                                               \
	X(failed, SUM)                                                                           \
	X(aborted, SUM)	      /* closed by the edge while connecting */                          \
	X(active, SUM)	      /* established upstream connections now */                         \
	X(resets, SUM)	      /* established connections that the peer reset, both legs */       \
	X(retransmits, SUM)   /* segments, both legs */                                          \
	X(srtt_us, LATEST)    /* to the target, last seen */                                     \
	X(connect_us, LATEST) /* usual: moving average, an eighth for each new one */            \
	X(connect_us_sum, SUM)                                                                   \
	X(connect_us_max, MAX)                                                                   \
	A(connect_hist, HISTOGRAM, ACCOUNT_HIST_LEN) /* [i]: 2^i us or more; the last is open */ \
	X(last_errno, ERROR) /* of a connect or an established connection; 0: none yet */

#endif
