# SPDX-License-Identifier: MIT
"""Medians, and ratios of paired samples with their 95 % intervals."""
import random
import statistics


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def quantile(values, q):
    values = sorted(values)
    return values[int(q * (len(values) - 1))] if values else None


def ratio(ours, theirs, resamples=4000):
    """The median of the pairwise ratios and its interval by bootstrap over the pairs: (r, low, high, n).

    The samples of a round are paired because what disturbs a machine disturbs neighbours alike.
    """
    pairs = [a / b for a, b in zip(ours, theirs) if a is not None and b]
    if not pairs:
        return None
    rng = random.Random(1)  # the same samples give the same interval
    medians = sorted(statistics.median(rng.choices(pairs, k=len(pairs))) for _ in range(resamples))
    low, high = medians[int(resamples * 0.025)], medians[int(resamples * 0.975) - 1]
    return statistics.median(pairs), low, high, len(pairs)
