/* SPDX-License-Identifier: MIT */
/* TLS contexts and certificate pins. */
#ifndef PORTUNUS_LIB_TLS_TLS_H
#define PORTUNUS_LIB_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_ctx_st;
struct ssl_st;

#define TLS_PIN_SIZE   32 /* SHA-256 of a leaf certificate in DER */
#define TLS_ERROR_SIZE 256
#define TLS_ALPN_H2    "h2"
#define TLS_ALPN_HTTP1 "http/1.1"

/*
 * A context that serves the PEM files of a certificate (chain) and its key: TLS 1.2 and 1.3, no
 * tickets, no renegotiation. With @alpn only that protocol is negotiated, and a client that offers
 * ALPN without it is refused; one that offers none must be found with tls_alpn_is(). NULL: no ALPN.
 * Refuses a key that others may read (-EPERM). Returns 0 and a context for SSL_CTX_free(), or
 * -errno with @why in words.
 */
int tls_server_ctx(const char *cert_path, const char *key_path, const char *alpn,
		   struct ssl_ctx_st **out, char why[TLS_ERROR_SIZE]);

/* Has a context of tls_server_ctx() serve what is in the files now, if that is a pair; else it is as it was. As
 * tls_server_ctx(). Connections that are open keep what they have. */
int tls_server_replace(struct ssl_ctx_st *ctx, const char *cert_path, const char *key_path,
		       char why[TLS_ERROR_SIZE]);

/* The pin that a connection expects, and what it found. Outlives the connection's SSL. */
struct tls_pin {
	uint8_t want[TLS_PIN_SIZE];
	uint8_t next[TLS_PIN_SIZE]; /* taken too if @has_next: the server is about to change */
	bool has_next;
	uint8_t seen[TLS_PIN_SIZE];
	bool checked;
	bool mismatch;
};

/*
 * A context for clients that know their server by its pin alone: no chain, name or date is checked.
 * NULL for memory. Each SSL made of it needs tls_client_prepare().
 */
struct ssl_ctx_st *tls_client_ctx(const char *alpn);

/* Sets the pin to check and, if @host is a name, SNI. Returns 0 or -ENOMEM. */
int tls_client_prepare(struct ssl_st *ssl, struct tls_pin *pin, const char *host);

/* Whether exactly @alpn was negotiated. After the handshake, in both roles. */
bool tls_alpn_is(const struct ssl_st *ssl, const char *alpn);

/* Says a mismatch in words, with both fingerprints. */
void tls_pin_explain(const struct tls_pin *pin, char *out, size_t size);

/* The pin of the first certificate in a PEM file. Returns 0 or -errno. */
int tls_pin_of_file(const char *cert_path, uint8_t pin[TLS_PIN_SIZE]);
/* The pin of the certificate that a context serves. Returns 0 or -ENOENT. */
int tls_pin_of_ctx(const struct ssl_ctx_st *ctx, uint8_t pin[TLS_PIN_SIZE]);

/* Whether the first certificate in a PEM file names @host in its SAN list: 1, 0 or -errno. */
int tls_cert_names_host(const char *cert_path, const char *host);

/*
 * Makes an ECDSA P-256 key and a self-signed certificate of ten years for it. @common_name is cut to 64
 * characters; @hosts are names and address literals for the SAN list, duplicates and "" left out.
 * The files replace existing ones whole; the key has mode 0600. Returns 0 or -errno.
 */
int tls_cert_generate(const char *cert_path, const char *key_path, const char *common_name,
		      const char *const *hosts, size_t n_hosts);

#endif
