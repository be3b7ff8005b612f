// SPDX-License-Identifier: MIT
// The bodies of the operator API, as far as this page reads them.

export interface Health {
	healthy: boolean;
	consecutive_failures: number;
	last_failure_at_unix_ms: number;
	last_success_at_unix_ms: number;
	last_errno?: number;
	since_unix_ms?: number;
}

export interface Target {
	host: string;
	port: number;
	priority: number;
	proxy_protocol?: "v1" | "v2" | null;
	proxy_protocol_tlvs?: string[];
	weight?: number;
	health_check_port?: number | null;
	same_port?: boolean;
	health: Health | null;
}

/** Figures in the list, with ?stats=true. */
export interface RuleFigures {
	bytes_in: number;
	bytes_out: number;
	active_connections: number;
	target_failovers_total: number;
	stale: boolean;
	drained: number[];
}

export interface Rule {
	id: number;
	client_id: string;
	client_name: string;
	listen_port: number;
	listen_port_end?: number;
	listen_address?: string;
	protocol: string;
	prefer_ipv6: boolean;
	state: unknown;
	created_at: string;
	last_state_change_at: string;
	owner_user_id: string;
	health_check_interval_secs?: number;
	/** Who of equal priority takes a connection; without it the order alone. */
	balance?: string;
	/** The server name, or "*." and the rest of it, that clients ask this rule for. */
	sni_pattern?: string;
	failback?: string;
	targets: Target[];
	stats?: RuleFigures;
}

export interface Kernel {
	basis: "acked" | "written" | "unknown";
	bytes_in: number;
	bytes_out: number;
	connects_attempted: number;
	connects_ok: number;
	connects_failed: number;
	connects_timed_out: number;
	connects_abandoned: number;
	active: number;
	resets: number;
	retransmits: number;
	srtt_us: number;
	connect_us_sum: number;
	connect_us_max: number;
	/** The last error of a connect or of an established connection, as Linux numbers them; 0: none. */
	last_errno?: number;
}

export interface TargetStats {
	index: number;
	host: string;
	port: number;
	priority: number;
	/** 0 healthy, 1 failed */
	health: number;
	consecutive_failures: number;
	last_failure_at_unix_ms: number;
	last_success_at_unix_ms: number;
	bytes_in: number;
	bytes_out: number;
	connections_accepted: number;
	health_since_unix_ms?: number;
	next_check_unix_ms?: number;
	drained?: boolean;
	/** New connections go to it, or are shared by it. */
	takes_new?: boolean;
	kernel?: Kernel | null;
}

export interface Stats {
	rule_id: number;
	client_name: string;
	bytes_in: number;
	bytes_out: number;
	active_connections: number;
	dns_failures: number;
	target_failovers_total: number;
	updated_at: string | null;
	stale?: boolean;
	report_age_ms?: number;
	hedge_wins?: number;
	/** Of a rule whose port is shared by server names. */
	sni_route_exact_total?: number;
	sni_route_wildcard_total?: number;
	sni_route_fallback_total?: number;
	/** Of a UDP rule. */
	datagrams_in?: number;
	datagrams_out?: number;
	active_flows?: number;
	flows_dropped_overflow?: number;
	kernel?: Kernel | null;
	per_target?: TargetStats[];
}

/** What a client of a UDP rule has going. */
export interface Flow {
	client: string;
	listen_port: number;
	target: string;
	age_ms: number;
	idle_ms: number;
	datagrams_in: number;
	datagrams_out: number;
	bytes_in: number;
	bytes_out: number;
}

/** Whose rules an edge has. */
export interface Owner {
	owner_id: string;
	has_rate_limit: boolean;
	rule_count: number;
}

/** A port of an edge that is shared by server names. */
export interface SniListener {
	port: number;
	routes: { pattern: string; rule_id: number }[];
	fallback_rule_id: number | null;
	parse_failures_total: number;
	route_miss_total: number;
	peek_rejected_total: number;
}

export interface Client {
	client_id: string;
	client_name: string;
	provisioned_at: string;
	revoked_at: string | null;
	connected: boolean;
	client_address: string | null;
	remote_addr: string | null;
	connected_at: string | null;
	version?: string | null;
	accounting?: string | null;
	last_seen_at?: string | null;
	/** When another host with this edge's credential was last turned away, and from where. */
	shared_credential_at?: string | null;
	shared_credential_addr?: string | null;
}

export interface AuditEntry {
	timestamp: string;
	actor: string;
	role?: string;
	scope?: string;
	method: string;
	path: string;
	outcome: "allow" | "deny";
	reason?: string;
	/** Who asked came from here. */
	remote_addr?: string;
	/** One row may stand for many refusals. */
	times?: number;
	action?: string;
	resource_kind?: string;
	resource_value?: string;
	details?: string;
}

export interface Me {
	user_id: string;
	role: string;
	scope?: string;
}

/** One change of a target's health that the server was told of. */
export interface HealthChange {
	seq: number;
	at_unix_ms: number;
	rule_id: number;
	index: number;
	host: string;
	port: number;
	failed: boolean;
}

/** An operator's token, as far as it is shown again. */
export interface Token {
	name: string;
	role: string;
	created_at: string;
	revoked_at: string | null;
	expires_at?: string | null;
	last_used_at?: string | null;
}
