/* SPDX-License-Identifier: MIT */
/* A token bucket that all workers take from without a lock, and that may go into debt by one operation. */
#ifndef PORTUNUS_EDGE_ADMIT_BUCKET_H
#define PORTUNUS_EDGE_ADMIT_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No single grant is for more. */
#define BUCKET_GRANT_MAX (1024 * 1024)

/*
 * What is left is not stored: it follows from the one moment at which the bucket will be full, if nobody
 * takes more (the virtual scheduling of ATM's generic cell rate algorithm, ITU-T I.371). So a take is
 * one compare-and-swap, nothing has to be refilled, and no rounding is lost over time. Moments are in
 * ticks, a sixteenth of a nanosecond. All zero: no cap. Any thread, but for bucket_set().
 */
struct bucket {
	atomic_ullong rate;    /* units a second; 0: no cap */
	atomic_ullong depth;   /* ticks that an empty one needs to be full */
	atomic_ullong full_at; /* in ticks */
	atomic_uint version;   /* of rate and depth: what was booked before is void */
};

static inline bool bucket_caps(const struct bucket *b)
{
	return atomic_load_explicit(&b->rate, memory_order_relaxed) != 0;
}

static inline unsigned bucket_version(const struct bucket *b)
{
	return atomic_load_explicit(&b->version, memory_order_relaxed);
}

/*
 * Sets rate and burst, both in units; rate 0: no cap. A bucket that had none begins full. Else what is
 * in it stays, up to the new burst; a debt is forgiven, as it may be for what was only booked. Returns
 * whether anything changed. One thread.
 */
bool bucket_set(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ns);

/* What somebody who has to wait may move at a time: 64 KiB or a millisecond's worth, whichever is
 * more, but no more than 20 ms are worth, nor than BUCKET_GRANT_MAX. Never 0. */
size_t bucket_operation(const struct bucket *b);

/*
 * Takes a part of what is in it: an eighth, at least an operation (which may go into debt), at most
 * @most. 0: nothing is in it, or less.
 */
size_t bucket_take(struct bucket *b, size_t most, uint64_t now_ns);

/* Takes @n if anything is in it. */
bool bucket_take_all(struct bucket *b, size_t n, uint64_t now_ns);
/* Takes one if one is in it, without a debt. */
bool bucket_take_whole(struct bucket *b, uint64_t now_ns);

/*
 * Takes @n whatever is in it, and returns from when on (clock_mono_ns()) they may be used: after all
 * that was taken or booked before. So whoever waits is served in turn, whichever worker it belongs to.
 */
uint64_t bucket_book(struct bucket *b, size_t n, uint64_t now_ns);

/* Gives back some that were taken or booked and not used. */
void bucket_give_back(struct bucket *b, size_t n);

#endif
