/* SPDX-License-Identifier: MIT */
/* Caps and what they have refused or held back, as JSON. */
#ifndef PORTUNUS_EDGE_STATUS_CAPS_JSON_H
#define PORTUNUS_EDGE_STATUS_CAPS_JSON_H

struct envelope_figures;
struct json_t;
struct owners;
struct rate_limit;

/* An envelope's caps and figures: a new reference, NULL for memory. */
struct json_t *status_caps_json(const struct rate_limit *limit, const struct envelope_figures *f);

/* Those of every owner that has caps. */
struct json_t *status_owners_json(const struct owners *o);

#endif
