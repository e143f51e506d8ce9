package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/reactor"
)

// operator is the demo's control socket, for boomctl control.
type operator struct {
	server *control.Server // nil: there is none
	asked  chan control.Event
}

// openToOperators opens the control socket. The demo does its work without one, too:
// then why is said on standard error.
func (w *watcher) openToOperators() *operator {
	o := &operator{asked: make(chan control.Event, 64)}
	server, err := control.Listen(control.Config{
		Reactors: []*reactor.Reactor{w.reactor},
		Observer: func(e control.Event) {
			select {
			case o.asked <- e:
			default: // nobody reads that quickly
			}
		},
	})
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			fmt.Fprintf(os.Stderr, "boomctl: there is no control socket: %v\n", err)
		}
		return o
	}
	o.server = server
	return o
}

// collect tells of the requests since the last time.
func (o *operator) collect(tell func(control.Event)) {
	for {
		select {
		case e := <-o.asked:
			tell(e)
		default:
			return
		}
	}
}

// close may be called twice.
func (o *operator) close() {
	if o.server != nil {
		_ = o.server.Close() // what is left of it is removed by the next one
	}
}

// writeOperator writes a line about a request of an operator. Dumps change nothing
// and are left out, so that one can look each second.
func writeOperator(w io.Writer, elapsed time.Duration, e control.Event) error {
	if e.Do == "dump" && e.Err == nil {
		return nil
	}
	_, err := fmt.Fprintf(w, "%7s s  %-10s %s\n", seconds(elapsed), "operator", oneLine(strings.TrimPrefix(e.String(), "control: ")))
	return err
}
