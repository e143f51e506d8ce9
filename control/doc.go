// Package control lets an operator reach into a live process: change how a
// reactor waits, empty its histograms, drop the connection of an endpoint, dump
// how everything stands. Other processes do that through a Unix socket, the
// command boomctl control first of all.
//
//	s, err := control.Listen(control.Config{
//		Reactors: []*reactor.Reactor{r},
//		Observer: func(e control.Event) { log.Print(e) },
//	})
//	defer s.Close()
//
//	c, err := control.Dial(ctx, path)          // elsewhere: control.List(dir) finds it
//	n, err := c.Drop(ctx, "", "btcusdt@trade")
//
// # Who may
//
// The socket is PID.sock in a directory that only its user may enter. It has the
// mode 0600 from its first moment, whatever the umask is, and it gets its name when
// it listens already. Each peer is asked of the kernel (SO_PEERCRED): only the user
// of this process and root are heard. Each request, and who made it, is told to
// Config.Observer, for a desk wants to know who dropped its connection; the
// endpoint's OnLoss is told as well, by a *endpoint.DroppedError.
//
// # What it costs
//
// The server runs on ordinary goroutines, and while nobody asks it does nothing. A
// request is a message to a reactor, handled in its turn. A reactor that does not
// come to it within Config.Timeout is reported as stuck, with the stack of its
// goroutine.
//
// # Protocol
//
// Lines of JSON. The server says hello, then answers each request in its order:
//
//	← {"control":1,"pid":4242,"program":"feedhandler","started":"…","reactors":["md"]}
//	→ {"do":"idle","reactor":"md","idle":"park(50us)"}
//	← {"reactors":["md"]}
//	→ {"do":"drop","endpoint":"btcusdt@trade"}
//	← {"reactors":["md"],"dropped":1}
//	→ {"do":"reset"}
//	← {"reactors":["md"]}
//	→ {"do":"dump","reactor":"md"}
//	← {"dump":{"pid":4242,…,"reactors":[{"name":"md",…}]}}
//	→ {"do":"drop","endpoint":"btcusd"}
//	← {"error":"reactor: no such endpoint: \"btcusd\": did you mean \"btcusdt@trade\"?","code":"not_found"}
//
// Without a reactor a request is for all of them; idle needs one. A request has at
// most [MaxRequest] bytes.
package control
