// Package examples holds one small program for each way to use boomnet. Each is
// a main to copy from, connects to a simulated exchange by default, and ends by
// itself or on Ctrl-C:
//
//	go run ./cmd/boomctl exchange        # in one terminal
//	go run ./examples/single             # in another
//
// A connection without a reactor:
//
//	single        one connection in a loop of one's own, no reactor
//	tls           roots, names and versions of one's own, a key log for Wireshark
//	mtls          a client certificate, ALPN, a session resumed, without WebSocket
//	proxy         the way out through HTTP CONNECT or SOCKS 5
//	http          HTTP/1.1 requests over a stream, several on one connection
//
// Endpoints on a reactor:
//
//	feeds         three feeds on one reactor, pinned to a core
//	context       endpoints that share a handler and a typed context
//	events        a gateway that turns connections and messages into one's own events
//	kinds         a WebSocket and a line protocol of one's own in one reactor
//	dispatch      orders from another goroutine, by handle
//	placement     CPUs for reactors, chosen from the machine's topology
//	reactors      several reactors, each on its core, with a goroutine between them
//	actors        feed, strategy and gateway on three reactors, rings between them
//	fanin         several feeds into one book, symbols dealt out by name
//	request       questions to another reactor and their answers, nobody waits
//	poll          the reactor inside a loop of one's own
//	shutdown      an orderly end on Ctrl-C, and what the endpoints see of it
//
// What a connection lives through:
//
//	auth          log in at the upgrade: a signature each time, subprotocols, refusals
//	reconnect     losses, delays, and what is worth another try
//	renew         a new connection before the old one is too old, nothing missed
//	heartbeat     pings, round trips, connections that are open but dead
//	timers        heartbeats of the application: an endpoint's own timer
//	dns           pinned names, the system's, and a resolver of one's own
//
// Sending:
//
//	gateway       the sketch of an order gateway: every order comes to one end
//	prepared      messages made once, and messages encoded in place
//	backpressure  more than the peer takes: refused at once, told when to go on
//
// Bytes and time:
//
//	direct        the quickest wait there is: no selector, a core for itself
//	timestamps    how long messages take from the kernel to the handler
//	echo          round trips, by idle strategy and selector
//	compression   what permessage-deflate saves
//	stream        a stream of one's own, without a descriptor: a tape beside a live feed
//	capture       all that comes into a reactor, recorded in files and replayed
//	metrics       every number there is, with unit and meaning
//	counters      these numbers in a file in memory, read by another process
//	prometheus    these numbers for Prometheus, by an HTTP handler of one's own
//	control       a socket by which an operator looks in and drops connections
//
// Each takes -url and, for a server whose certificate the system does not trust,
// -cacert:
//
//	go run ./cmd/boomctl exchange --ca-out /tmp/ca.pem
//	go run ./examples/single -url wss://127.0.0.1:9443/ws/btcusdt@trade -cacert /tmp/ca.pem
//
// # Coming from BoomNet
//
// The programs in the examples directory of BoomNet, the Rust crate, of all its
// versions, and what shows the same here:
//
//	endpoint_with_timer               timers
//	http_single_connection            http: on a bare stream, there is no client in the library yet
//	io_service_dispatch               dispatch
//	io_service_event_adapter          events
//	io_service_ktls                   tls: crypto/tls above the socket, there is no kernel TLS
//	io_service_with_async_dns         dns: lookups never run on a reactor
//	io_service_with_auto_disconnect   renew: the next connection stands before the last one goes
//	io_service_with_cares_dns         dns: a resolver of one's own
//	io_service_with_context           context
//	io_service_with_context_ktls      context and tls
//	io_service_with_direct_selector   direct
//	io_service_with_io_uring_selector none: there is no io_uring selector yet; feeds has epoll
//	io_service_without_context        feeds
//	ping                              heartbeat
//	polymorphic_endpoints             kinds
//	recorded_stream                   capture
//	replay_stream                     capture
//	ws_client                         single
//	ws_client_blocking                single: Conn.Wait blocks until there is something to read
//	ws_client_ktls, ws_client_ktls_2  tls
//	ws_client_native_tls              tls: -keylog
package examples
