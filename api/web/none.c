// SPDX-License-Identifier: MIT
/* Stands in for the web page where it is left out (make WEB=0). */
#include "api/routes/assets.h"

const struct asset assets[] = {{NULL}};
const size_t n_assets = 0;
