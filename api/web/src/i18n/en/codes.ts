// SPDX-License-Identifier: MIT
// English: a sentence for every code of the server, reason of an edge, cause of a failure, and action of the audit trail.

export const codes = {
	"code.ack_timeout":
		"The edge has not answered in time. The rule is stored, and takes effect as soon as the edge answers.",
	"code.activation_failed":
		"The edge could not start the rule. It is stored as failed and tried again.",
	"code.already_bootstrapped": "There is an admin token already.",
	"code.bad_request": "The server did not understand the request.",
	"code.body_too_large": "That is more than the server takes at once.",
	"code.bootstrap_required":
		"This server has no admin token yet. Make one on its host with portunus-server token-add.",
	"code.client_name_taken": "Another edge has this name.",
	"code.client_not_connected": "The edge is not connected, so it cannot be told.",
	"code.client_not_found": "There is no such edge any more.",
	"code.client_not_revoked": "Only a revoked edge can be deleted. Revoke it first.",
	"code.conflict": "Somebody else changed this at the same time. Look again, then retry.",
	"code.connect_timeout_out_of_range": "The connect time-out is 1 to 60,000 ms.",
	"code.credential_invalid": "The session or token is not valid any more. Sign in again.",
	"code.credential_not_found": "There is no live token of that name.",
	"code.csrf_content_type_required": "The request was not sent by this page.",
	"code.csrf_header_required": "The request was not sent by this page.",
	"code.csrf_origin_mismatch":
		"The server knows itself under another address than your browser uses. Behind a proxy, set operator_http_public_origin in server.toml to the address in the address bar.",
	"code.csrf_origin_required": "The browser did not say which page the request comes from.",
	"code.duplicate_rule_id": "Another rule has this number.",
	"code.endpoint_invalid":
		"The server does not know under which address edges reach it. Set advertised_endpoint.",
	"code.endpoint_not_in_cert_san":
		"The address for edges is not one that the server's certificate names.",
	"code.file_unreadable": "The file cannot be read.",
	"code.headers_too_large": "The request is larger than the server takes.",
	"code.health_check_interval_out_of_range": "The health-check interval is 1 to 3,600 s.",
	"code.hedge_delay_out_of_range": "The hedge delay is 0 to 60,000 ms.",
	"code.idle_timeout_out_of_range": "The idle time-out is 0 to 604,800 s.",
	"code.https_required": "This address takes HTTPS only: write https:// in front of it.",
	"code.internal": "The server failed at this. Its log says more.",
	"code.internal_error": "The server failed at this. Its log says more.",
	"code.invalid_body": "A value is missing or of the wrong kind.",
	"code.invalid_client_address":
		"An address is a host name or an IP address, without port or path.",
	"code.invalid_cursor": "This page of the list does not exist any more. Load it anew.",
	"code.invalid_enrollment_ttl": "A code is good for between a minute and a day.",
	"code.invalid_id": "That is not a rule's number.",
	"code.invalid_json": "The server could not read what was sent.",
	"code.invalid_limit": "The number of entries is out of range.",
	"code.invalid_listen_address": "The listen address has to be an IPv4 or IPv6 address.",
	"code.invalid_login": "That token is not known here.",
	"code.invalid_name":
		"A name has 1 to 255 characters, none of them invisible or a control character.",
	"code.invalid_outcome": "There is no such outcome.",
	"code.invalid_protocol": "The protocol has to be TCP.",
	"code.invalid_query": "Part of the address is not a number.",
	"code.invalid_role": "Choose admin, operator or viewer.",
	"code.invalid_target_host": "The target has to be a host name or an IP address.",
	"code.invalid_target_host_label_hyphen":
		"No part of a host name begins or ends with a hyphen.",
	"code.invalid_target_host_label_too_long":
		"A part of the host name is longer than 63 characters.",
	"code.invalid_target_host_too_long": "The host name is longer than 253 characters.",
	"code.invalid_time_range": "The beginning is after the end.",
	"code.invalid_timestamp": "That is not a time.",
	"code.invalid_user_id":
		"A token's name has 1 to 64 letters, digits, dots, hyphens or underscores.",
	"code.kernel_relay_unsupported_by_client": "This edge cannot forward in its kernel.",
	"code.last_superadmin":
		"This is the last admin token: without it nobody could manage the server. Make another one first.",
	"code.method_not_allowed": "That cannot be done there.",
	"code.multi_target_unsupported_by_client":
		"This edge's version knows only one target for each rule. Update portunus-client there.",
	"code.next_certificate_missing":
		"Put the next certificate and its key beside those in use, then try again.",
	"code.not_found": "That does not exist, or not any more.",
	"code.not_owner": "The rule belongs to another token.",
	"code.option_conflict": "Two settings contradict each other.",
	"code.option_out_of_range": "A value is out of its range.",
	"code.port_in_use": "Another rule of this edge already listens on this port.",
	"code.precondition_failed":
		"Somebody else has changed this in the meantime, so nothing was sent.",
	"code.proxy_protocol_unsupported_by_client": "This edge cannot send the PROXY protocol.",
	"code.range_invalid": "A port is a whole number from 1 to 65535.",
	"code.rate_limit_unsupported_by_client": "This edge cannot limit rates.",
	"code.rate_limited": "Too many failed sign-ins from this address. Wait, then try again.",
	"code.reserved_user_id": "Names that begin with an underscore are the server's own.",
	"code.request_timeout": "The request did not arrive in time. Try again.",
	"code.rotation_unsupported_by_client":
		"This edge cannot change its token by itself. Give it a new code instead.",
	"code.role_required": "This token's role does not allow that.",
	"code.rule_not_found": "There is no such rule any more.",
	"code.rule_options_unsupported_by_client":
		"This edge's version does not know one of the settings. Update portunus-client there.",
	"code.exceeds_cap": "The range has more ports than the server allows.",
	"code.owner_rate_limit_not_found": "This owner has no limits on this edge.",
	"code.range_targets_unsupported_by_client":
		"This edge cannot spread a range over several targets.",
	"code.flow_list_unsupported_by_client":
		"This edge cannot tell its flows: it is older than that.",
	"code.rule_removed": "The rule was removed while the edge was asked.",
	"code.rule_shape_conflict": "The target is given twice, in the old and in the new form.",
	"code.rule_shape_missing": "A rule needs a target.",
	"code.sni_unsupported_by_client": "This edge cannot tell TLS names apart.",
	"code.store_error": "The server could not write this down. Its log says why.",
	"code.store_full":
		"The server's disk is full, so nothing can be stored. Make room there, then retry.",
	"code.store_unavailable": "The server cannot write right now. Try again in a few seconds.",
	"code.target_invalid_host":
		"A host is an IPv4 address, an IPv6 address in brackets, or a name of letters, digits, hyphens and dots.",
	"code.target_invalid_port": "A port is a whole number from 1 to 65535.",
	"code.target_is_listener":
		"A target is the rule's own port, so that connections would go round in a circle.",
	"code.target_unusable": "No connection can be made to that address.",
	"code.targets_duplicate": "Two targets are the same.",
	"code.targets_empty": "A rule needs a target.",
	"code.targets_too_many": "A rule has at most 8 targets.",
	"code.too_many_connections":
		"The server has as many connections as it takes. Try again in a moment.",
	"code.unauthenticated": "Nobody is signed in.",
	"code.unsupported_media_type": "The server takes JSON only.",
	"code.unsupported_protocol": "Only TCP can be forwarded.",
	"code.update_in_progress":
		"The edge has not answered the last change of this rule yet. Wait a moment.",
	"code.user_already_exists": "There is a token of this name. Revoke it first.",
	"code.validation.proxy_protocol_invalid": "The PROXY protocol has the versions 1 and 2.",
	"code.validation.proxy_protocol_on_unsupported_rule":
		"The PROXY protocol needs a TCP rule.",
	"code.validation.rate_limit_burst_range": "The burst is out of its range.",
	"code.validation.rate_limit_burst_unsupported": "This limit cannot have a burst.",
	"code.validation.rate_limit_burst_without_rate": "A burst needs a rate.",
	"code.validation.rate_limit_cap_zero": "A limit of 0 would let nothing through.",
	"code.validation.rate_limit_on_legacy_shape": "A limit needs a list of targets.",
	"code.validation.rule_update_shape_mismatch":
		"That cannot be changed in place. Remove the rule and push it again.",
	"code.validation.sni_on_unsupported_rule": "A TLS name needs a TCP rule with one port.",
	"code.validation.sni_pattern_malformed": "That is not a TLS name.",

	"reason.port_in_use":
		"Another program on the edge's host listens on this port. Retried until the port is free.",
	"reason.permission_denied":
		"The edge may not listen on this port: below 1024 it needs CAP_NET_BIND_SERVICE.",
	"reason.bind_failed":
		"The edge could not listen there: is the listen address one of its own? Retried until it is.",
	"reason.out_of_memory": "The edge is out of memory.",
	"reason.unspecified": "The edge did not say why.",
	"reason.rule_loop": "The rule would lead to itself.",

	"cause.refused.one": "{list} refuses connections",
	"cause.refused.other": "{list} refuse connections",
	"cause.silent.one": "{list} does not answer",
	"cause.silent.other": "{list} do not answer",
	"cause.no_route.one": "there is no way to {list}",
	"cause.no_route.other": "there is no way to {list}",
	"cause.forbidden.one": "a firewall forbids connections to {list}",
	"cause.forbidden.other": "a firewall forbids connections to {list}",
	"cause.reset.one": "{list} resets connections",
	"cause.reset.other": "{list} reset connections",
	"cause.failed_or_refused.one": "{list} refuses connections or cannot be reached",
	"cause.failed_or_refused.other": "{list} refuse connections or cannot be reached",
	"cause.unknown.one": "connecting to {list} fails",
	"cause.unknown.other": "connecting to {list} fails",

	"action.rule.push": "Pushed a rule",
	"action.rule.update": "Changed a rule",
	"action.rule.remove": "Removed a rule",
	"action.rule.failback": "Gave new connections of a rule back",
	"action.client.enroll": "Made an enrolment code",
	"action.client.reenroll": "Made a new code",
	"action.client.redeemed": "An edge enrolled",
	"action.client.readdress": "Changed an edge's address",
	"action.client.rename": "Renamed an edge",
	"action.client.revoke": "Revoked an edge",
	"action.client.delete": "Deleted an edge",
	"action.client.rotate_token": "Gave an edge a new token",
	"action.certificate.rotate": "Renewed the certificate",
	"action.token.add": "Added a token",
	"action.token.revoke": "Revoked a token",
	"action.sign_in": "Signed in",
	"action.sign_out": "Signed out",
	"action.read": "Asked for {path}",
	"action.plain": "{method} {path}",

	"role.admin": "Admin",
	"role.operator": "Operator",
	"role.viewer": "Viewer",
	"role.admin_may": "everything",
	"role.operator_may": "push, change and remove its own rules, and see those",
	"role.viewer_may": "only look",

	"actor.legacy": "server.toml token",
	"actor.bootstrap": "bootstrap admin",
	"actor.anonymous": "nobody signed in",
	"actor.edge": "the edge itself",
	"actor.local": "command on the server's host",
};
