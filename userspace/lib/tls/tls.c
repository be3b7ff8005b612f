// SPDX-License-Identifier: MIT
/* TLS contexts and certificate pins. */
#include "lib/tls/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/utf8.h"
#include "lib/base/hex.h"

static int pin_of(const X509 *cert, uint8_t pin[TLS_PIN_SIZE])
{
	unsigned int n = 0;

	return X509_digest(cert, EVP_sha256(), pin, &n) == 1 && n == TLS_PIN_SIZE ? 0 : -ENOMEM;
}

/* What both roles share. */
static SSL_CTX *new_ctx(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	/* Peers leave without close_notify; HTTP/2 frames have their own lengths, so nothing is cut
	 * unseen. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20")) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* Called only for a client that offers ALPN at all. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned int in_len, void *arg)
{
	const char *want = arg;
	size_t n = strlen(want);

	for (unsigned int i = 0; i < in_len && i + 1 + in[i] <= in_len; i += 1u + in[i]) {
		if (in[i] == n && !memcmp(in + i + 1, want, n)) {
			*out = in + i + 1;
			*out_len = (unsigned char)n;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int explain(int err, char *why, const char *what, const char *path)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	utf8_format(why, TLS_ERROR_SIZE, "%.*s: %s%s%s", utf8_cut(path, 140), path, what,
		    reason ? ": " : "", reason ? reason : "");
	ERR_clear_error();
	return err;
}

static int check_key_mode(const char *path, char *why)
{
	struct stat st;
	int err;

	if (stat(path, &st)) {
		err = errno;
		utf8_format(why, TLS_ERROR_SIZE, "%.*s: %s", utf8_cut(path, 160), path,
			    strerror(err));
		return -err;
	}
	if (st.st_mode & 077) {
		utf8_format(why, TLS_ERROR_SIZE,
			    "%.*s: mode %04o lets others read the key; chmod 600 it",
			    utf8_cut(path, 100), path, (unsigned int)(st.st_mode & 07777));
		return -EPERM;
	}
	return 0;
}

/*
 * A context keeps a pair for each kind of key and shows what the client likes best, which may be one that has been
 * replaced by a pair of another kind. A connection has the pair that was put in last.
 */
static int show_last_pair(SSL *ssl, void *arg)
{
	SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);
	X509 *cert = SSL_CTX_get0_certificate(ctx);
	STACK_OF(X509) *chain = NULL;

	SSL_CTX_get0_chain_certs(ctx, &chain);
	SSL_certs_clear(ssl);
	return SSL_use_cert_and_key(ssl, cert, SSL_CTX_get0_privatekey(ctx), chain, 1);
}

static int use_pair(SSL_CTX *ctx, const char *cert_path, const char *key_path, char *why)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1)
		return explain(-EINVAL, why, "not a usable certificate", cert_path);
	/* A key of another kind is taken, for a certificate that is not there. */
	if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return explain(-EINVAL, why, "not the certificate's key", key_path);
	return 0;
}

int tls_server_ctx(const char *cert_path, const char *key_path, const char *alpn, SSL_CTX **out,
		   char why[TLS_ERROR_SIZE])
{
	SSL_CTX *ctx;
	int rc;

	ERR_clear_error();
	rc = check_key_mode(key_path, why);
	if (rc)
		return rc;
	ctx = new_ctx(TLS_server_method());
	if (!ctx)
		return explain(-ENOMEM, why, "no TLS context", key_path);
	rc = use_pair(ctx, cert_path, key_path, why);
	if (rc) {
		SSL_CTX_free(ctx);
		return rc;
	}
	SSL_CTX_set_cert_cb(ctx, show_last_pair, NULL);
	/* The argument is one of the constants of tls.h. */
	if (alpn)
		SSL_CTX_set_alpn_select_cb(ctx, select_alpn, (void *)(uintptr_t)alpn);
	*out = ctx;
	return 0;
}

int tls_server_replace(SSL_CTX *ctx, const char *cert_path, const char *key_path,
		       char why[TLS_ERROR_SIZE])
{
	SSL_CTX *probe;
	int rc = tls_server_ctx(cert_path, key_path, NULL, &probe, why);

	if (rc)
		return rc;
	SSL_CTX_free(probe);
	return use_pair(ctx, cert_path, key_path, why);
}

/* In place of a chain check: the leaf alone, by its fingerprint. */
static int verify_pin(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_pin *pin = SSL_get_app_data(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(store);

	if (!pin || !leaf || pin_of(leaf, pin->seen)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
		return 0;
	}
	pin->checked = true;
	pin->mismatch = CRYPTO_memcmp(pin->want, pin->seen, TLS_PIN_SIZE) != 0 &&
			(!pin->has_next || CRYPTO_memcmp(pin->next, pin->seen, TLS_PIN_SIZE) != 0);
	X509_STORE_CTX_set_error(store, pin->mismatch ? X509_V_ERR_CERT_REJECTED : X509_V_OK);
	return !pin->mismatch;
}

SSL_CTX *tls_client_ctx(const char *alpn)
{
	SSL_CTX *ctx = new_ctx(TLS_client_method());
	unsigned char wire[32];
	size_t n = alpn ? strlen(alpn) : 0;

	if (!ctx)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify_pin, NULL);
	if (n && n < sizeof(wire)) {
		wire[0] = (unsigned char)n;
		memcpy(wire + 1, alpn, n);
		if (SSL_CTX_set_alpn_protos(ctx, wire, (unsigned int)n + 1)) { /* 0 is success */
			SSL_CTX_free(ctx);
			return NULL;
		}
	}
	return ctx;
}

static bool is_address(const char *host)
{
	unsigned char raw[16];

	return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

int tls_client_prepare(SSL *ssl, struct tls_pin *pin, const char *host)
{
	SSL_set_app_data(ssl, pin);
	/* RFC 6066, section 3: literals are not permitted in SNI. */
	if (!is_address(host) && SSL_set_tlsext_host_name(ssl, host) != 1)
		return -ENOMEM;
	return 0;
}

bool tls_alpn_is(const SSL *ssl, const char *alpn)
{
	const unsigned char *got = NULL;
	unsigned int n = 0;

	SSL_get0_alpn_selected(ssl, &got, &n);
	return n == strlen(alpn) && !memcmp(got, alpn, n);
}

void tls_pin_explain(const struct tls_pin *pin, char *out, size_t size)
{
	char want[2 * TLS_PIN_SIZE + 1], seen[2 * TLS_PIN_SIZE + 1];

	hex_write(pin->want, TLS_PIN_SIZE, want);
	hex_write(pin->seen, TLS_PIN_SIZE, seen);
	snprintf(out, size,
		 "server certificate fingerprint mismatch: pinned sha256:%s, presented sha256:%s",
		 want, seen);
}

static int read_cert(const char *path, X509 **out)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	*out = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	ERR_clear_error();
	return *out ? 0 : -EINVAL;
}

int tls_pin_of_file(const char *cert_path, uint8_t pin[TLS_PIN_SIZE])
{
	X509 *cert;
	int rc = read_cert(cert_path, &cert);

	if (rc)
		return rc;
	rc = pin_of(cert, pin);
	X509_free(cert);
	return rc;
}

int tls_pin_of_ctx(const SSL_CTX *ctx, uint8_t pin[TLS_PIN_SIZE])
{
	const X509 *cert = SSL_CTX_get0_certificate(ctx);

	return cert ? pin_of(cert, pin) : -ENOENT;
}

int tls_cert_names_host(const char *cert_path, const char *host)
{
	X509 *cert;
	int rc = read_cert(cert_path, &cert);

	if (rc)
		return rc;
	if (is_address(host))
		rc = X509_check_ip_asc(cert, host, 0) == 1;
	else
		rc = X509_check_host(cert, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
	X509_free(cert);
	return rc;
}
