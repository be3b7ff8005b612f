// SPDX-License-Identifier: MIT
/* Certificates and tokens that change while edges stay connected. */
#include "server/fleet/renewal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/tls/tls.h"
#include "server/access/certificate.h"
#include "server/store/store.h"

#define SETTING_BEGAN "renewal_began_ms"
#define PIN_HEX	      (2 * TLS_PIN_SIZE)

struct renewal {
	struct fleet *fleet;
	struct renewal_config config;
	uint64_t began_ms;			      /* 0: no certificate is under way */
	bool beginning;				      /* that one is to be is with the store */
	int switch_error;			      /* of the last try to change over */
	uint64_t serial;			      /* of what edges were sent */
	char pin[PIN_HEX + 1], next_pin[PIN_HEX + 1]; /* next_pin "": none */
	struct rotations rotations;
};

/* ---- what is stored ---- */

static void wanted_pins(const struct renewal *r, char out[FLEET_PINS_SIZE])
{
	snprintf(out, FLEET_PINS_SIZE, "%s%s%s", r->pin, *r->next_pin ? "," : "", r->next_pin);
}

/* Whether a client's bundle is what it should be. One that was only enrolled has the pin of then. */
static bool is_told(const struct renewal *r, const struct fleet_client *c)
{
	char wanted[FLEET_PINS_SIZE];

	wanted_pins(r, wanted);
	return *c->pins ? !strcmp(c->pins, wanted) : !*r->next_pin;
}

static int read_pins(struct renewal *r)
{
	char next[PATH_MAX];
	uint8_t pin[TLS_PIN_SIZE];
	int err = tls_pin_of_file(r->config.cert_path, pin);

	if (err)
		return err;
	hex_write(pin, sizeof(pin), r->pin);
	r->next_pin[0] = '\0';
	certificate_next_path(r->config.cert_path, next);
	if (r->began_ms && certificate_has_next(r->config.cert_path)) {
		err = tls_pin_of_file(next, pin);
		if (!err)
			hex_write(pin, sizeof(pin), r->next_pin);
	}
	return err;
}

/* Nobody waits for it. */
static void put_setting(struct renewal *r, const char *key, const char *value)
{
	struct store_tx *tx = store_begin(r->fleet->store);

	store_setting_put(tx, key, value);
	store_commit(tx, NULL, NULL);
}

/* ---- telling ---- */

static void tell(struct renewal *r, struct session *s)
{
	struct outbox_credential c = {.token = ""};

	if (!s->credential_update || s->credential_serial || is_told(r, s->client))
		return;
	strcpy(c.pin_hex, r->pin);
	strcpy(c.next_pin_hex, r->next_pin);
	wanted_pins(r, s->credential_pins);
	s->credential_serial = ++r->serial;
	outbox_send_credential(&s->out, s->credential_serial, &c);
}

static void tell_all(struct renewal *r)
{
	for (size_t i = 0; i < r->fleet->n_clients; i++)
		if (r->fleet->clients[i]->connected)
			tell(r, r->fleet->clients[i]->session);
}

static bool is_waited_for(const struct renewal *r, const struct fleet_client *c)
{
	return !c->revoked_ms && !is_told(r, c);
}

static bool all_told(const struct renewal *r)
{
	for (size_t i = 0; i < r->fleet->n_clients; i++)
		if (is_waited_for(r, r->fleet->clients[i]))
			return false;
	return true;
}

size_t renewal_waiting(struct renewal *r, void (*name)(void *arg, const char *name), void *arg)
{
	size_t n = 0;

	for (size_t i = 0; i < r->fleet->n_clients && *r->next_pin; i++) {
		const struct fleet_client *c = r->fleet->clients[i];

		if (!is_waited_for(r, c))
			continue;
		n++;
		if (name)
			name(arg, c->name);
	}
	return n;
}

bool renewal_under_way(const struct renewal *r)
{
	return *r->next_pin;
}

/* ---- the certificate ---- */

/* Once, however often it is tried again. */
static void log_no_switch(const struct renewal *r, int err, const char *why)
{
	if (err == r->switch_error)
		return;
	log_event(LOG_ERROR, "certificate.switch_failed", LOGF_STR("error", why),
		  LOGF_STR("path", r->config.cert_path),
		  LOGF_STR("advice", "the certificate there was goes on; put the next pair, "
				     "certificate and key, beside it as *.next"));
}

/* Edges hear that there is no other certificate any more when the next one is what is served. */
static int change_over(struct renewal *r)
{
	char why[TLS_ERROR_SIZE];
	int err = certificate_switch(r->config.cert_path, r->config.key_path, why);

	if (err)
		log_no_switch(r, err, why);
	else
		err = r->config.switched(r->config.arg);
	r->switch_error = err;
	if (err)
		return err;
	r->began_ms = 0;
	/* If that cannot be stored, the next start finds that there is no next pair. */
	put_setting(r, SETTING_BEGAN, NULL);
	err = read_pins(r);
	log_event(LOG_INFO, "certificate.rotated", LOGF_STR("path", r->config.cert_path),
		  LOGF_STR("pin", r->pin));
	tell_all(r);
	return err;
}

static void change_over_if_told(struct renewal *r)
{
	if (*r->next_pin && all_told(r))
		change_over(r);
}

/* A certificate whose beginning is with the store. */
struct beginning {
	struct renewal *r;
	uint64_t began_ms;
	char why[TLS_ERROR_SIZE]; /* the next pair is none; "": it is */
	renewal_done done;
	void *arg;
};

static void cannot_begin(struct fleet_error *err, int errnum, const char *why)
{
	if (*why)
		fleet_error_set(err, 409, "next_certificate_missing",
				"next_certificate_missing: the files beside the certificate are no "
				"pair: %s",
				why);
	else
		fleet_error_store(err, errnum);
}

static void on_begun(void *arg, int errnum)
{
	struct beginning *b = arg;
	struct renewal *r = b->r;
	struct fleet_error err;

	r->beginning = false;
	if (!errnum) {
		r->began_ms = b->began_ms;
		errnum = read_pins(r);
	}
	if (errnum) {
		r->began_ms = 0;
		cannot_begin(&err, errnum, b->why);
	} else {
		log_event(LOG_INFO, "certificate.announced", LOGF_STR("pin", r->next_pin),
			  LOGF_UINT("edges", renewal_waiting(r, NULL, NULL)));
		tell_all(r);
		change_over_if_told(r);
	}
	b->done(b->arg, errnum ? &err : NULL);
	free(b);
}

/* That it was under way already. */
static void on_reminded(void *arg, int errnum)
{
	struct beginning *b = arg;

	tell_all(b->r);
	change_over_if_told(b->r);
	b->done(b->arg, NULL);
	free(b);
}

/* In the store's thread: of the renewal it only reads what does not change. */
static int make_next(void *arg)
{
	struct beginning *b = arg;
	const struct renewal_config *c = &b->r->config;

	b->why[0] = '\0';
	return certificate_make_next(c->cert_path, c->key_path, c->advertised, b->why);
}

static int begin(struct beginning *b)
{
	struct renewal *r = b->r;
	struct store_tx *tx;
	char text[24];
	int err;

	if (renewal_under_way(r))
		return store_commit(store_begin(r->fleet->store), on_reminded, b);
	b->began_ms = clock_wall_ms();
	snprintf(text, sizeof(text), "%llu", (unsigned long long)b->began_ms);
	tx = store_begin(r->fleet->store);
	store_work(tx, make_next, b);
	store_setting_put(tx, SETTING_BEGAN, text);
	err = store_commit(tx, on_begun, b);
	r->beginning = !err;
	return err;
}

int renewal_certificate(struct renewal *r, renewal_done done, void *arg, struct fleet_error *err)
{
	struct beginning *b;
	int errnum;

	if (r->beginning) {
		fleet_error_set(err, 409, "update_in_progress",
				"update_in_progress: the next certificate is being made");
		return -1;
	}
	if (!renewal_under_way(r) && !certificate_is_ours(r->config.data_dir) &&
	    !certificate_has_next(r->config.cert_path)) {
		fleet_error_set(
			err, 409, "next_certificate_missing",
			"next_certificate_missing: the certificate is your own: put the next "
			"pair beside it as *.next, key and certificate, then try again");
		return -1;
	}
	b = calloc(1, sizeof(*b));
	if (b)
		*b = (struct beginning){.r = r, .done = done, .arg = arg};
	errnum = b ? begin(b) : -ENOMEM;
	if (!errnum)
		return 0;
	free(b);
	fleet_error_store(err, errnum);
	return -1;
}

static void log_late(void *arg, const char *name)
{
	log_event(LOG_WARN, "certificate.edge_left_behind", LOGF_STR("client", name),
		  LOGF_STR("advice", "it was not connected, or cannot change its pin, for 30 days: "
				     "enroll it again"));
}

void renewal_sweep(struct renewal *r)
{
	if (!*r->next_pin)
		return;
	if (clock_wall_ms() - r->began_ms < RENEWAL_DAYS * 86400ull * 1000) {
		change_over_if_told(r); /* the last one may have been revoked */
		return;
	}
	if (!r->switch_error)
		renewal_waiting(r, log_late, NULL);
	change_over(r);
}

/* ---- tokens ---- */

int renewal_token(struct renewal *r, struct fleet_client *c, renewal_done done, void *arg,
		  struct fleet_error *err)
{
	return rotation_begin(&r->rotations, c, done, arg, err);
}

/* ---- what sessions tell ---- */

void renewal_on_greeted(struct renewal *r, struct session *s)
{
	if (r)
		tell(r, s);
}

/* An edge's word that it has certain pins, which is with the store. */
struct pins_change {
	struct fleet *f;
	char client_id[STORE_ID_SIZE + 1], pins[FLEET_PINS_SIZE];
};

static void on_pins_stored(void *arg, int err)
{
	struct pins_change *ch = arg;
	struct fleet_client *c = fleet_client(ch->f, ch->client_id);
	struct renewal *r = ch->f->renewal;

	if (c && !err)
		strcpy(c->pins, ch->pins);
	if (c && c->connected)
		c->session->credential_serial = 0;
	/* After an error it is told again with the next session. */
	if (!err && r) {
		/* Something may have changed since it was sent. */
		if (c && c->connected)
			tell(r, c->session);
		change_over_if_told(r);
	}
	free(ch);
}

static void store_pins(struct renewal *r, struct session *s)
{
	struct pins_change *ch = calloc(1, sizeof(*ch));
	struct store_tx *tx;
	char key[64];

	if (!ch)
		return;
	ch->f = r->fleet;
	strcpy(ch->client_id, s->client->id);
	strcpy(ch->pins, s->credential_pins);
	snprintf(key, sizeof(key), STORE_BUNDLE_PINS "%s", s->client->id);
	tx = store_begin(r->fleet->store);
	store_setting_put(tx, key, ch->pins);
	if (store_commit(tx, on_pins_stored, ch))
		free(ch);
}

void renewal_on_ack(struct renewal *r, struct session *s, uint64_t serial, const char *error)
{
	if (!r)
		return;
	if (*error)
		log_event(LOG_WARN, "client.bundle_not_stored", LOGF_STR("client", s->client->name),
			  LOGF_STR("error", error),
			  LOGF_STR("advice", "the edge has to be able to write its bundle; else "
					     "enroll it again"));
	if (!serial || serial != s->credential_serial)
		rotation_on_ack(&r->rotations, s->client, serial, error);
	else if (*error)
		s->credential_serial = 0;
	else
		store_pins(r, s);
}

void renewal_on_session_end(struct renewal *r, struct session *s)
{
	if (r)
		rotation_on_session_end(&r->rotations, s->client);
}

/* ---- life ---- */

struct renewal *renewal_new(struct fleet *f, const struct renewal_config *config)
{
	struct renewal *r = calloc(1, sizeof(*r));
	char *began = NULL;

	if (!r)
		return NULL;
	r->fleet = f;
	r->rotations = (struct rotations){.f = f, .serial = &r->serial};
	r->config = *config;
	if (!store_setting_get(f->store, SETTING_BEGAN, &began))
		r->began_ms = strtoull(began, NULL, 10);
	free(began);
	read_pins(r); /* without a certificate there is nothing to renew */
	f->renewal = r;
	change_over_if_told(r);
	return r;
}

void renewal_free(struct renewal *r)
{
	if (!r)
		return;
	rotations_end(&r->rotations);
	r->fleet->renewal = NULL;
	free(r);
}
