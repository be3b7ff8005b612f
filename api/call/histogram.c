// SPDX-License-Identifier: MIT
/* The bounds of histograms. */
#include "api/call/histogram.h"

const double histogram_bounds[HISTOGRAM_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
						   0.25,  0.5,	  1,	 2.5,  5,     10};
