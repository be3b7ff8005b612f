// SPDX-License-Identifier: MIT
/*
 * Any bytes as TOML: a tree that is whole, in the order of the text, or an error with its place. And as a
 * configuration file: nothing set on an error, and values within their bounds.
 */
#include "lib/base/config.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct toml_value *v)
{
	if (v->line < 1 || v->column < 1 ||
	    (v->n && v->type != TOML_ARRAY && v->type != TOML_TABLE) ||
	    (v->type == TOML_STRING) != (v->string != NULL) ||
	    (v->string && !utf8_valid(v->string, v->len)))
		abort();
	for (size_t i = 0; i < v->n; i++) {
		if ((v->type == TOML_TABLE) != (v->child[i].key != NULL))
			abort();
		if (i && v->type == TOML_TABLE && v->child[i].key_line < v->child[i - 1].key_line)
			abort();
		look_at(&v->child[i]);
	}
}

static void as_toml(const char *text, size_t size)
{
	struct toml_value *root = NULL;
	struct toml_error err = {0};

	if (toml_parse(text, size, &root, &err)) {
		if (root || err.line < 1 || err.column < 1 || !err.message[0] ||
		    !utf8_valid(err.message, strlen(err.message)))
			abort();
		return;
	}
	for (size_t i = 0; i < root->n; i++)
		look_at(&root->child[i]);
	toml_free(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error err = {0};
	char *text = NULL, *other = NULL, *list = NULL;
	int64_t number = 3;
	bool flag = false;
	const struct config_key keys[] = {
		{"control_listen", CONFIG_STRING, 1, 64, &text},
		{"t", CONFIG_STRING, 0, 16, &other},
		{"n", CONFIG_INT, -100, 100000, &number},
		{"b", CONFIG_BOOL, 0, 0, &flag},
		{"l", CONFIG_LIST, 1, 16, &list},
	};

	as_toml((const char *)data, size);
	if (config_read((const char *)data, size, keys, sizeof(keys) / sizeof(keys[0]), &err)) {
		if (text || other || list || number != 3 || flag || err.line < 1 ||
		    !err.message[0] || !utf8_valid(err.message, strlen(err.message)))
			abort();
		return 0;
	}
	if (number < -100 || number > 100000)
		abort();
	if (text && (strlen(text) < 1 || strlen(text) > 64 || !utf8_valid(text, strlen(text))))
		abort();
	if (other && (strlen(other) > 16 || !utf8_valid(other, strlen(other))))
		abort();
	free(text);
	free(other);
	free(list);
	return 0;
}
