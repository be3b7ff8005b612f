// SPDX-License-Identifier: MIT
/* Certificates, pins and contexts; handshakes run over memory, without a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tls/tls.h"

static char dir[64], cert[96], key[96], missing[96];
static const char *const hosts[] = {"edge.example", "localhost", "127.0.0.1",
				    "::1",	    "LOCALHOST", ""};

static int set_up(void **state)
{
	strcpy(dir, "/tmp/portunus-tls-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(cert, sizeof(cert), "%s/server.crt", dir);
	snprintf(key, sizeof(key), "%s/server.key", dir);
	snprintf(missing, sizeof(missing), "%s/missing", dir);
	return tls_cert_generate(cert, key, "edge.example", hosts, 6);
}

static int tear_down(void **state)
{
	unlink(cert);
	unlink(key);
	return rmdir(dir);
}

static void test_certificate(void **state)
{
	FILE *f = fopen(cert, "r");
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	GENERAL_NAMES *names;
	BASIC_CONSTRAINTS *bc;
	EVP_PKEY *pk;
	struct stat st;
	char group[32] = "";
	int critical, days, secs;

	fclose(f);
	assert_non_null(x);
	pk = X509_get_pubkey(x);
	assert_int_equal(EVP_PKEY_get_group_name(pk, group, sizeof(group), NULL), 1);
	assert_string_equal(group, "prime256v1");
	assert_int_equal(X509_verify(x, pk), 1);
	bc = X509_get_ext_d2i(x, NID_basic_constraints, &critical, NULL);
	assert_non_null(bc);
	assert_int_equal(critical, 1);
	assert_int_equal(bc->ca, 0);
	names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	assert_int_equal(sk_GENERAL_NAME_num(names),
			 4); /* without the duplicate and the empty one */
	assert_int_equal(ASN1_TIME_diff(&days, &secs, NULL, X509_get0_notAfter(x)), 1);
	assert_in_range(days, 3648, 3651);
	assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(x)), -1);
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(cert, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	GENERAL_NAMES_free(names);
	BASIC_CONSTRAINTS_free(bc);
	EVP_PKEY_free(pk);
	X509_free(x);
}

static void test_san(void **state)
{
	assert_int_equal(tls_cert_names_host(cert, "edge.example"), 1);
	assert_int_equal(tls_cert_names_host(cert, "EDGE.example"), 1);
	assert_int_equal(tls_cert_names_host(cert, "127.0.0.1"), 1);
	assert_int_equal(tls_cert_names_host(cert, "::1"), 1);
	assert_int_equal(tls_cert_names_host(cert, "0:0:0:0:0:0:0:1"), 1);
	assert_int_equal(tls_cert_names_host(cert, "192.0.2.1"), 0);
	assert_int_equal(tls_cert_names_host(cert, "other.example"), 0);
	assert_int_equal(tls_cert_names_host(missing, "x"), -ENOENT);
}

static void test_pins(void **state)
{
	char why[TLS_ERROR_SIZE];
	uint8_t a[TLS_PIN_SIZE], b[TLS_PIN_SIZE];
	SSL_CTX *ctx;

	assert_int_equal(tls_pin_of_file(cert, a), 0);
	assert_int_equal(tls_server_ctx(cert, key, TLS_ALPN_H2, &ctx, why), 0);
	assert_int_equal(tls_pin_of_ctx(ctx, b), 0);
	assert_memory_equal(a, b, TLS_PIN_SIZE);
	SSL_CTX_free(ctx);
	assert_int_equal(tls_pin_of_file(key, a), -EINVAL);
}

/* A key of another kind than those that we make, and a certificate for it. */
static void put_rsa_pair(const char *cert_path, const char *key_path)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	X509 *x = X509_new();
	FILE *out = fopen(key_path, "w");

	assert_non_null(rsa);
	assert_non_null(out);
	assert_int_equal(PEM_write_PrivateKey(out, rsa, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(out), 0);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, rsa), 1);
	assert_true(X509_sign(x, rsa, EVP_sha256()) > 0);
	out = fopen(cert_path, "w");
	assert_non_null(out);
	assert_int_equal(PEM_write_X509(out, x), 1);
	assert_int_equal(fclose(out), 0);
	X509_free(x);
	EVP_PKEY_free(rsa);
}

static void test_server_refusals(void **state)
{
	char why[TLS_ERROR_SIZE], other[96], other_key[96];
	SSL_CTX *ctx;

	assert_int_equal(chmod(key, 0640), 0);
	assert_int_equal(tls_server_ctx(cert, key, NULL, &ctx, why), -EPERM);
	assert_non_null(strstr(why, "chmod 600"));
	assert_int_equal(chmod(key, 0600), 0);
	assert_int_equal(tls_server_ctx(cert, missing, NULL, &ctx, why), -ENOENT);
	assert_int_equal(tls_server_ctx(key, key, NULL, &ctx, why), -EINVAL);
	assert_non_null(strstr(why, "certificate"));

	snprintf(other, sizeof(other), "%s/o.crt", dir);
	snprintf(other_key, sizeof(other_key), "%s/o.key", dir);
	assert_int_equal(tls_cert_generate(other, other_key, "o", hosts, 1), 0);
	assert_int_equal(tls_server_ctx(cert, other_key, NULL, &ctx, why), -EINVAL);
	assert_non_null(strstr(why, "key"));
	/* OpenSSL takes a key of another kind beside the certificate. */
	put_rsa_pair(other, other_key);
	assert_int_equal(tls_server_ctx(cert, other_key, NULL, &ctx, why), -EINVAL);
	assert_non_null(strstr(why, "key"));
	unlink(other);
	unlink(other_key);
}

struct pair {
	SSL *client, *server;
	bool done;
};

/* Runs both ends of a handshake over a pair of memory BIOs. */
static void handshake(struct pair *p, SSL_CTX *client, SSL_CTX *server, struct tls_pin *pin,
		      const char *host)
{
	BIO *a, *b;
	int c = 0, s = 0;

	p->client = SSL_new(client);
	p->server = SSL_new(server);
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	if (pin)
		assert_int_equal(tls_client_prepare(p->client, pin, host), 0);
	SSL_set_connect_state(p->client);
	SSL_set_accept_state(p->server);
	for (int i = 0; i < 10 && (c != 1 || s != 1); i++) {
		c = SSL_do_handshake(p->client);
		s = SSL_do_handshake(p->server);
	}
	p->done = c == 1 && s == 1;
}

static void pair_free(struct pair *p)
{
	SSL_free(p->client);
	SSL_free(p->server);
}

static void test_handshake(void **state)
{
	struct tls_pin pin = {0};
	char why[TLS_ERROR_SIZE];
	SSL_CTX *server, *client = tls_client_ctx(TLS_ALPN_H2);
	struct pair p;

	assert_int_equal(tls_server_ctx(cert, key, TLS_ALPN_H2, &server, why), 0);
	assert_int_equal(tls_pin_of_file(cert, pin.want), 0);
	handshake(&p, client, server, &pin, "edge.example");
	assert_true(p.done);
	assert_true(pin.checked);
	assert_false(pin.mismatch);
	assert_true(tls_alpn_is(p.client, TLS_ALPN_H2));
	assert_true(tls_alpn_is(p.server, TLS_ALPN_H2));
	assert_string_equal(SSL_get_version(p.client), "TLSv1.3");
	assert_string_equal(SSL_get_servername(p.server, TLSEXT_NAMETYPE_host_name),
			    "edge.example");
	pair_free(&p);

	/* A literal is never sent as SNI. */
	handshake(&p, client, server, &pin, "::1");
	assert_true(p.done);
	assert_null(SSL_get_servername(p.server, TLSEXT_NAMETYPE_host_name));
	pair_free(&p);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}

/* As when a pair is replaced while the server runs: a client that likes the former kind of key better gets the new one. */
static void test_replaced_by_another_kind(void **state)
{
	struct tls_pin pin = {0};
	char why[TLS_ERROR_SIZE], other[96], other_key[96];
	SSL_CTX *server, *client = tls_client_ctx(TLS_ALPN_H2);
	const char *certs[] = {other, cert}, *keys[] = {other_key, key};
	struct pair p;

	snprintf(other, sizeof(other), "%s/o.crt", dir);
	snprintf(other_key, sizeof(other_key), "%s/o.key", dir);
	assert_int_equal(chmod(key, 0600), 0);
	put_rsa_pair(other, other_key);
	assert_int_equal(chmod(other_key, 0600), 0);
	assert_int_equal(tls_server_ctx(cert, key, TLS_ALPN_H2, &server, why), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tls_server_replace(server, certs[i], keys[i], why), 0);
		assert_int_equal(tls_pin_of_file(certs[i], pin.want), 0);
		handshake(&p, client, server, &pin, "edge.example");
		assert_true(p.done);
		assert_false(pin.mismatch);
		pair_free(&p);
	}
	/* What is no pair changes nothing. */
	assert_int_equal(tls_server_replace(server, cert, other_key, why), -EINVAL);
	handshake(&p, client, server, &pin, "edge.example");
	assert_true(p.done);
	pair_free(&p);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	unlink(other);
	unlink(other_key);
}

static void test_pin_mismatch(void **state)
{
	struct tls_pin pin = {0};
	char why[TLS_ERROR_SIZE];
	SSL_CTX *server, *client = tls_client_ctx(TLS_ALPN_H2);
	struct pair p;

	assert_int_equal(tls_server_ctx(cert, key, TLS_ALPN_H2, &server, why), 0);
	assert_int_equal(tls_pin_of_file(cert, pin.want), 0);
	pin.want[31] ^= 1;
	handshake(&p, client, server, &pin, "edge.example");
	assert_false(p.done);
	assert_true(pin.mismatch);
	tls_pin_explain(&pin, why, sizeof(why));
	assert_non_null(strstr(why, "fingerprint mismatch"));
	pair_free(&p);
	/* A next pin is taken beside the present one, and is no reason to take a third. */
	pin.checked = pin.mismatch = false;
	pin.has_next = true;
	handshake(&p, client, server, &pin, "edge.example");
	assert_true(pin.mismatch);
	pair_free(&p);
	pin.checked = pin.mismatch = false;
	assert_int_equal(tls_pin_of_file(cert, pin.next), 0);
	handshake(&p, client, server, &pin, "edge.example");
	assert_true(p.done);
	assert_false(pin.mismatch);
	pair_free(&p);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}

static void test_alpn(void **state)
{
	struct tls_pin pin = {0};
	char why[TLS_ERROR_SIZE];
	SSL_CTX *server;
	SSL_CTX *none = tls_client_ctx(NULL), *http1 = tls_client_ctx(TLS_ALPN_HTTP1);
	struct pair p;

	assert_int_equal(tls_server_ctx(cert, key, TLS_ALPN_H2, &server, why), 0);
	assert_int_equal(tls_pin_of_file(cert, pin.want), 0);
	/* The callback is not asked about a client without ALPN: the handshake passes, h2 is absent. */
	handshake(&p, none, server, &pin, "h");
	assert_true(p.done);
	assert_false(tls_alpn_is(p.server, TLS_ALPN_H2));
	assert_false(tls_alpn_is(p.client, TLS_ALPN_H2));
	pair_free(&p);
	handshake(&p, http1, server, &pin, "h");
	assert_false(p.done);
	pair_free(&p);
	SSL_CTX_free(none);
	SSL_CTX_free(http1);
	SSL_CTX_free(server);
}

static void test_versions(void **state)
{
	struct tls_pin pin = {0};
	char why[TLS_ERROR_SIZE];
	SSL_CTX *server, *client = tls_client_ctx(TLS_ALPN_H2);
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	struct pair p;

	assert_int_equal(tls_server_ctx(cert, key, TLS_ALPN_H2, &server, why), 0);
	assert_int_equal(tls_pin_of_file(cert, pin.want), 0);
	/* Said outright: whether 1.1 would work at all depends on the system's OpenSSL as well. */
	assert_int_equal(SSL_CTX_get_min_proto_version(server), TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_get_min_proto_version(client), TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_get_max_proto_version(server), TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	handshake(&p, client, server, &pin, "h");
	assert_true(p.done);
	assert_string_equal(SSL_get_version(p.client), "TLSv1.2");
	pair_free(&p);

	SSL_CTX_set_cipher_list(old, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(old, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
	handshake(&p, old, server, NULL, "h");
	assert_false(p.done);
	pair_free(&p);
	SSL_CTX_free(old);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_san),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_server_refusals),
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_pin_mismatch),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_replaced_by_another_kind),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
