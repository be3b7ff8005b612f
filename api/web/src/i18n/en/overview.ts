// SPDX-License-Identifier: MIT
// English: the overview.

export const overview = {
	"overview.edges": "Edges connected",
	"overview.rules": "Active rules",
	"overview.connections": "Connections now",
	"overview.of": "of {n}",
	"overview.throughput": "Throughput",
	"overview.attention": "Needs attention",
	"overview.all_well": "Every rule is active and every target is healthy.",
	"overview.busiest": "Busiest rules",
	"overview.recent": "Recent changes of health",
	"overview.no_failovers": "No target has changed its health in the last hour.",
	"overview.first_edge": "Connect the first edge",
	"overview.first_edge_why":
		"An edge is a host that accepts connections and forwards them. Enrol one, then push a rule to it.",
	"overview.first_rule": "Push the first rule",
	"overview.first_rule_why":
		"A rule says which port an edge listens on and which targets it forwards to, in order of preference.",
	"attention.rule_failed": "Rule {id} on {where} is not served",
	"attention.all_failed": "No target of rule {id} is reachable",
	"attention.target_failed.one": "{n} target of rule {id} has failed",
	"attention.target_failed.other": "{n} targets of rule {id} have failed",
	"attention.now_to": "New connections go to {target}.",
	"attention.edge_lost": "Edge {name} is not connected",
	"attention.edge_accounting": "Edge {name} counts in user space",
	"attention.edge_accounting_why":
		"The kernel's counters are not in use there; portunus-client status says why.",
	"chart.in": "To targets",
	"chart.out": "To clients",
	"chart.window": "since this page was opened, 10 min at most",
	"chart.waiting": "The chart begins with the next reports, in a few seconds.",
	"chart.label": "Throughput now: {in} to targets, {out} to clients",
	"overview.moved": "Traffic moved, last hour",
	"overview.nobody_busy": "No rule has carried anything yet.",
	"overview.in_all": "{n} in all",
	"attention.rule_pending": "Rule {id} on {where} is not confirmed yet",
	"attention.rule_pending_why":
		"{edge} has not said that it serves the rule. It takes effect when the edge answers.",
	"attention.edge_lost_why":
		"It goes on forwarding its rules; figures are from its last report.",
	"attention.more.one": "and {n} more",
	"attention.more.other": "and {n} more",
	"attention.fewer": "Show fewer",
	"chart.nothing": "Nothing has been carried since this page was opened.",
	"attention.edge_shared": "Two hosts use the credential of {name}",
	"attention.edge_shared_why":
		"{address} was turned away. Enrol one of the two hosts as an edge of its own; if you do not know it, revoke {name} and enrol it anew.",
};
