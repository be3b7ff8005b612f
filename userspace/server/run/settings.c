// SPDX-License-Identifier: MIT
/* server.toml: its keys, their defaults and checks. */
#include "server/run/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cidr.h"
#include "lib/base/config.h"

#define OPERATOR_TOKEN_MIN 16 /* shorter ones are guessed */

int settings_listen(const char *text, union addr *out)
{
	char host[128];
	uint16_t port;
	const char *colon = strrchr(text, ':');

	/* addr_split() refuses port 0, which here means "any". */
	if (colon && !strcmp(colon, ":0")) {
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
		port = 0;
	} else if (addr_split(text, host, sizeof(host), &port)) {
		return -EINVAL;
	}
	return addr_parse_literal(host, port, out);
}

/* What keys have to be, if @text is not that: told with the line that set them. */
static const char *wrong_listen(const char *text)
{
	union addr ignored;

	return settings_listen(text, &ignored) ? "an address with a port, like \"127.0.0.1:7080\""
					       : NULL;
}

static const char *wrong_origin(const char *text)
{
	const char *rest = strstr(text, "://");

	if (rest && (!strncmp(text, "http:", 5) || !strncmp(text, "https:", 6)) && rest[3] &&
	    !strpbrk(rest + 3, "/?#@ "))
		return NULL;
	return "http(s)://host[:port] without a path";
}

static const char *wrong_base(const char *text)
{
	size_t n = strlen(text);

	return text[0] == '/' && n > 1 && text[n - 1] != '/' && !strstr(text, "//") &&
			       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					    "0123456789-._~/") == n
		       ? NULL
		       : "a path like \"/portunus\"";
}

static const char *wrong_proxy(const char *text)
{
	struct cidr c;

	return cidr_parse(text, &c) ? "addresses or blocks of them, like \"10.0.0.0/8\"" : NULL;
}

static const char *wrong_metrics(const char *text)
{
	union addr at;

	if (settings_listen(text, &at))
		return wrong_listen(text);
	return addr_is_loopback(&at) ? NULL
				     : "a loopback address, since it asks for no credential; use "
				       "/v1/metrics from elsewhere";
}

static const char *wrong_format(const char *text)
{
	return strcmp(text, "json") && strcmp(text, "compact") ? "\"json\" or \"compact\"" : NULL;
}

static int default_path(char **path, const char *data_dir, const char *name)
{
	if (*path)
		return 0;
	return asprintf(path, "%s/%s", data_dir, name) < 0 ? -ENOMEM : 0;
}

/* The texts as they stand in the file, before they are understood. */
struct raw {
	char *control, *http, *metrics, *log_format, *token_store, *operator_store;
	int64_t drain_secs;
};

static int check(struct settings *s, const struct raw *raw, const char *path, char *why,
		 size_t why_size)
{
	if (settings_listen(raw->control ? raw->control : "0.0.0.0:7443", &s->control_listen) ||
	    settings_listen(raw->http ? raw->http : "127.0.0.1:7080", &s->operator_http_listen) ||
	    settings_listen(raw->metrics ? raw->metrics : "127.0.0.1:7081", &s->metrics_listen))
		return -EINVAL; /* not after wrong_listen() */
	if (!s->operator_http_tls_cert_path != !s->operator_http_tls_key_path) {
		snprintf(
			why, why_size,
			"%s: operator_http_tls_cert_path and operator_http_tls_key_path go together",
			path);
		return -EINVAL;
	}
	return 0;
}

static int read_file(const char *path, struct settings *s, struct raw *raw, char *why,
		     size_t why_size)
{
	const struct config_key keys[] = {
		{"control_listen", CONFIG_STRING, 1, 255, &raw->control, wrong_listen},
		{"operator_http_listen", CONFIG_STRING, 1, 255, &raw->http, wrong_listen},
		{"metrics_listen", CONFIG_STRING, 1, 255, &raw->metrics, wrong_metrics},
		{"operator_http_public_origin", CONFIG_STRING, 1, 255,
		 &s->operator_http_public_origin, wrong_origin},
		{"operator_http_base_path", CONFIG_STRING, 1, 255, &s->operator_http_base_path,
		 wrong_base},
		{"trusted_proxies", CONFIG_LIST, 1, 63, &s->trusted_proxies, wrong_proxy},
		{"operator_http_tls_cert_path", CONFIG_STRING, 1, PATH_MAX - 1,
		 &s->operator_http_tls_cert_path},
		{"operator_http_tls_key_path", CONFIG_STRING, 1, PATH_MAX - 1,
		 &s->operator_http_tls_key_path},
		{"tls_cert_path", CONFIG_STRING, 1, PATH_MAX - 1, &s->tls_cert_path},
		{"tls_key_path", CONFIG_STRING, 1, PATH_MAX - 1, &s->tls_key_path},
		{"shutdown_drain_timeout_secs", CONFIG_INT, 0, 86400, &raw->drain_secs},
		{"log_format", CONFIG_STRING, 1, 16, &raw->log_format, wrong_format},
		{"range_rule_max_ports", CONFIG_INT, 1, 65535, &s->range_rule_max_ports},
		{"udp_flow_idle_secs", CONFIG_INT, 30, 300, &s->udp_flow_idle_secs},
		{"udp_max_flows_per_rule", CONFIG_INT, 1, 65535, &s->udp_max_flows_per_rule},
		{"sni_miss_alert", CONFIG_BOOL, 0, 0, &s->sni_miss_alert},
		{"operator_token", CONFIG_STRING, OPERATOR_TOKEN_MIN, 256, &s->operator_token},
		/* Of versions that kept them in files; accepted and without effect. */
		{"token_store_path", CONFIG_STRING, 0, PATH_MAX - 1, &raw->token_store},
		{"operator_store_path", CONFIG_STRING, 0, PATH_MAX - 1, &raw->operator_store},
	};
	struct config_error wrong;
	int err = config_read_file(path, keys, sizeof(keys) / sizeof(keys[0]), &wrong);

	if (!err || err == -ENOENT)
		return 0;
	if (wrong.line)
		snprintf(why, why_size, "%s:%d: %s", path, wrong.line, wrong.message);
	else
		snprintf(why, why_size, "%s: %s", path, wrong.message);
	return err;
}

int settings_read(const char *data_dir, struct settings *out, char *why, size_t why_size)
{
	struct raw raw = {.drain_secs = 30};
	char path[PATH_MAX];
	int err;

	*out = (struct settings){
		.udp_flow_idle_secs = 60,
		.udp_max_flows_per_rule = 1024,
		.range_rule_max_ports = 1024,
		.sni_miss_alert = true,
	};
	snprintf(path, sizeof(path), "%s/server.toml", data_dir);
	err = read_file(path, out, &raw, why, why_size);
	if (!err)
		err = check(out, &raw, path, why, why_size);
	free(raw.control);
	free(raw.http);
	free(raw.metrics);
	free(raw.log_format);
	free(raw.token_store);
	free(raw.operator_store);
	if (!err)
		err = default_path(&out->tls_cert_path, data_dir, "server.crt");
	if (!err)
		err = default_path(&out->tls_key_path, data_dir, "server.key");
	if (err)
		settings_free(out);
	return err;
}

bool settings_exposed(const char *data_dir)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/server.toml", data_dir) < (int)sizeof(path) &&
	       !stat(path, &st) && st.st_mode & 077;
}

void settings_free(struct settings *s)
{
	free(s->operator_http_public_origin);
	free(s->operator_http_base_path);
	free(s->trusted_proxies);
	free(s->tls_cert_path);
	free(s->tls_key_path);
	free(s->operator_http_tls_cert_path);
	free(s->operator_http_tls_key_path);
	free(s->operator_token);
	memset(s, 0, sizeof(*s));
}
