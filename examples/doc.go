// Package examples holds one small program for each way to use boomnet. Each is
// a main to copy from, connects to a simulated exchange by default, and ends by
// itself or on Ctrl-C:
//
//	go run ./cmd/boomctl exchange        # in one terminal
//	go run ./examples/single             # in another
//
//	single     one connection in a loop of one's own, no reactor
//	feeds      three feeds on one reactor, pinned to a core
//	context    endpoints that share a handler and a typed context
//	kinds      a WebSocket and a line protocol of one's own in one reactor
//	stream     a stream of one's own, without a descriptor: a tape beside a live feed
//	shutdown   an orderly end on Ctrl-C, and what the endpoints see of it
//	direct     the quickest wait there is: no selector, a core for itself
//	dispatch   orders from another goroutine, by handle
//	placement  CPUs chosen for two reactors from what the machine is
//	poll       the reactor inside a loop of one's own
//
// Each takes -url and, for a server whose certificate the system does not trust,
// -cacert:
//
//	go run ./cmd/boomctl exchange --ca-out /tmp/ca.pem
//	go run ./examples/single -url wss://127.0.0.1:9443/ws/btcusdt@trade -cacert /tmp/ca.pem
package examples
