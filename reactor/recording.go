package reactor

import (
	"context"
	"math/rand/v2"
	"reflect"
	"unsafe"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// What the reactor tells the recorder of Config.Tape: package tape says what a
// recording consists of. Nothing here runs without one.

// record gives the recorder to the reactor that cfg describes, and returns the source
// of its randomness: one whose seed, made from random, is recorded.
func record(cfg *Config, random rand.Source) (rand.Source, error) {
	seed, err := cfg.Tape.Use(cfg.Name, cfg.Seams.Clock, random)
	if err != nil {
		return nil, err
	}
	return rand.NewChaCha8(seed), nil
}

// recordTurn begins a turn. That connections are to be driven, whatever the network
// has brought, is something that happens in it.
func (r *Reactor) recordTurn() {
	r.tape.Turn(r.now)
	if len(r.ready) > 0 {
		r.tape.Mark()
	}
}

// recordPark says that the turn goes on after a park.
func (r *Reactor) recordPark() {
	if r.tape != nil {
		r.tape.Park(r.now)
	}
}

// recordLife records mail about the life of an endpoint.
func (r *Reactor) recordLife(m *mail) {
	switch m.kind {
	case mailRegister:
		r.tape.Endpoint(tape.KindRegister, m.slot.id.Slot, m.slot.name, 0)
	case mailDeregister:
		r.tape.Endpoint(tape.KindDeregister, m.slot.id.Slot, "", 0)
	case mailPhase:
		m.conn.tape.Phase(m.state)
	case mailOutcome:
		err := m.err
		if err != nil && m.conn.dead {
			err = context.Canceled // it was given up: nobody is told in which words
		}
		m.conn.tape.Outcome(err)
	}
}

// recordRetry records when the next try of s is: the limiter of its host knows of
// other reactors.
func (r *Reactor) recordRetry(s *slot, at int64) {
	if r.tape != nil {
		r.tape.Endpoint(tape.KindRetryAt, s.id.Slot, "", at)
	}
}

// taped is handle, behind a recorder of the messages where there is one: of those
// with pointers only that they came.
func taped[T any](to *Reactor, way string, handle func(*T)) func(*T) {
	switch {
	case to.tape == nil:
		return handle
	case !plain(reflect.TypeFor[T]()):
		return func(m *T) {
			to.tape.Endpoint(tape.KindCall, 0, way, 0)
			handle(m)
		}
	}
	return func(m *T) {
		to.tape.Message(way, bytesOf(m))
		handle(m)
	}
}

// bytesOf is the memory of a message without pointers. Padding between its fields is
// whatever it is.
func bytesOf[T any](m *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(m)), unsafe.Sizeof(*m))
}

// plain says whether values of t are all there is to them: no pointers.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer,
		reflect.Slice, reflect.String, reflect.UnsafePointer:
		return false
	}
	return true
}
