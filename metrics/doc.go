// Package metrics shows what a service does: to Prometheus, to probes, and to a
// person with a browser.
//
//	Source ──▶ Facts ──┬─▶ /metrics      Prometheus text or OpenMetrics
//	                   ├─▶ /livez        200 or 503 and why
//	                   ├─▶ /readyz       200 or 503 and why
//	                   ├─▶ /status       a page
//	                   └─▶ /status.json  the facts
//
// # Who owns what
//
// [Facts] are a copy of the service's state at one moment. Whoever makes them
// gives them away and does not touch them again. A [Handler] may be used by any
// goroutines; it asks its Source once for each request and keeps nothing. A
// [History] belongs to who adds to it; what it gives away is a copy.
//
// # What is promised
//
//   - No answer waits longer for the facts than [Patience]. Without them it is 503.
//   - The page needs no other file and no script; with one it is kept up to date.
//
// # What is not done here
//
// Nothing listens, nothing is logged, and nothing is known of where facts come from.
// Only the use of processes is read here, from /proc.
package metrics
