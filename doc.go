// Package boomnet is a low-latency network client runtime for trading systems:
// one pinned goroutine, a reactor, owns its sockets, its endpoints and its
// memory, and its hot path takes no lock, allocates nothing and blocks on nothing.
//
// There is no code in this package; it says where things are. From the top down,
// each usable alone, imports going down only:
//
//	reactor            Reactor: drives endpoints on one goroutine, Run or Poll
//	reactor/selector   which descriptors are ready: epoll, or direct
//	reactor/idle       how to wait when nothing is: spin, backoff, park, …
//	endpoint           what a user writes: WebSocket to embed; the contract for
//	                   protocols of one's own; deadlines, back-off, losses
//	proto/ws           a WebSocket client connection that never blocks
//	proto/ws/frame     the wire format, pure
//	stream             bytes over TCP and TLS without blocking, and Dial
//	dns                names to addresses
//	affinity           which CPU a thread runs on
//	clock              the time that everything reads
//	stats              counters and histograms that others may watch
//
// Begin with examples/feeds and package endpoint. README.md has a whole program,
// ARCHITECTURE.md follows a byte through all layers. The command boomctl, in
// cmd/boomctl, shows it at work, connects to any WebSocket, and runs a simulated
// exchange to develop against.
package boomnet
