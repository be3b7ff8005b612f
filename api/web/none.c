// SPDX-License-Identifier: MIT
/* Stands in for the web page where it is left out (make WEB=0). */
#include "api/assets.h"

const struct asset assets[] = {{NULL}};
const size_t n_assets = 0;
