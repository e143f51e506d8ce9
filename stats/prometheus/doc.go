// Package prometheus shows counters files to Prometheus: an HTTP handler that reads
// what processes publish by package stats, and writes it in the text format.
//
//	http.Handle("/metrics", prometheus.Handler(prometheus.Config{}))
//
// It serves the process that it runs in and all others of the same user that have a
// counters file. They notice nothing of it: a scrape is loads from mapped memory. So
// the handler may be in the trading process, or better in one beside it, which may
// fail and be changed without it: boomctl metrics is that. It needs no client library.
//
// # Names
//
// One rule makes all names, so that a cell which is new, or is a program's own, appears
// by itself:
//
//	boomnet_KIND_CELL            gauge     e.g. boomnet_endpoint_queue_bytes
//	boomnet_KIND_CELL_total      counter        boomnet_endpoint_messages_total
//	boomnet_KIND_CELL_seconds    histogram      boomnet_endpoint_receive_to_handler_seconds
//	boomnet_KIND_CELL_info       text           boomnet_reactor_idle_info{text="spin"} 1
//
// KIND is the kind of the block. Times become seconds, and _seconds ends their name, as
// _bytes ends that of bytes; a unit of 1e-8 is multiplied out; others are in the HELP line. Of an error log each
// distinct text is a series. names.go has the rule and its exceptions.
//
// Labels say whose the cell is: process, pid, and reactor, endpoint or ring; name and
// parent for blocks of other kinds. Blocks of one process with the same labels, which
// Prometheus would refuse, are told apart by nth="2" and so on, in the order in which
// they were made.
//
// # What is lost
//
// A cell's histogram has 2,240 buckets, a precision of 1/64. Of these a scrape has 26
// and +Inf, at powers of two from 256 ns to 8.6 s: a quantile that is computed from them
// is off by less than a factor of two. Counts at the bounds are exact. Config.Buckets
// chooses others. The largest value is exact, in a gauge of its own. The sum is exact to
// 1/128. boomctl latency has the whole histogram.
package prometheus
