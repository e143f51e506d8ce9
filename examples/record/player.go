package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/stream"
)

// Player is a stream that plays a tape: each read brings what it brought then, as
// long after the first as then, divided by the speed. What is written to it is
// thrown away.
type Player struct {
	stream.Unqueued
	file    *os.File
	in      *bufio.Reader
	speed   float64
	start   int64
	records int
	due     int64  // when rest may be read, after start
	rest    []byte // of the record under way
	err     error  // the end of the tape
}

// NewPlayer opens a tape and returns its seed.
func NewPlayer(name string, speed float64) (*Player, [seedSize]byte, error) {
	var seed [seedSize]byte
	f, err := os.Open(name)
	if err != nil {
		return nil, seed, err
	}
	p := &Player{file: f, in: bufio.NewReader(f), speed: speed, start: clock.Nano()}
	if _, err := io.ReadFull(p.in, seed[:]); err != nil {
		_ = f.Close()
		return nil, seed, fmt.Errorf("%s is no tape: %w", name, err)
	}
	p.next()
	return p, seed, nil
}

// next reads the next record. A tape that is cut ends with an error that says so.
func (p *Player) next() {
	var head [headSize]byte
	if _, p.err = io.ReadFull(p.in, head[:]); p.err == io.EOF {
		return // the end
	}
	n := binary.LittleEndian.Uint32(head[8:])
	p.due = int64(float64(binary.LittleEndian.Uint64(head[:])) / p.speed)
	if p.err == nil && n > maxRecord {
		p.err = fmt.Errorf("%d bytes, the limit is %d", n, maxRecord)
	}
	if p.err == nil {
		p.rest = make([]byte, n)
		_, p.err = io.ReadFull(p.in, p.rest)
	}
	if p.records++; p.err != nil {
		p.err = fmt.Errorf("record %d of the tape: %w", p.records, p.err)
	}
}

// Source implements stream.Stream: no descriptor, the time of the next record instead.
func (p *Player) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(now int64) int64 {
		if p.err != nil {
			return now
		}
		return p.start + p.due
	}}
}

// Read implements stream.Stream.
func (p *Player) Read(b []byte) (int, error) {
	switch {
	case p.file == nil:
		return 0, net.ErrClosed
	case p.err != nil:
		return 0, p.err
	case clock.Nano() < p.start+p.due:
		return 0, stream.ErrWouldBlock
	}
	n := copy(b, p.rest)
	if p.rest = p.rest[n:]; len(p.rest) == 0 {
		p.next()
	}
	return n, nil
}

// Write implements stream.Stream.
func (p *Player) Write(b []byte) (int, error) { return len(b), nil }

// WriteControl implements stream.Stream.
func (p *Player) WriteControl(b []byte) (int, error) { return len(b), nil }

// Close implements stream.Stream.
func (p *Player) Close() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}
