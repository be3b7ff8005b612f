// SPDX-License-Identifier: MIT
// The bodies of the operator API, as far as this page reads them.

export interface Health {
	healthy: boolean;
	consecutive_failures: number;
	last_failure_at_unix_ms: number;
	last_success_at_unix_ms: number;
}

export interface Target {
	host: string;
	port: number;
	priority: number;
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
	connect_timeout_ms?: number;
	hedge_delay_ms?: number;
	idle_timeout_secs?: number;
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
	kernel?: Kernel | null;
	per_target?: TargetStats[];
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
