// Command client-capture receives a feed on a reactor whose connection is recorded or
// not, and prints what the reactor's thread has spent. Package meter tells how it is
// called, and with what environment; before that come the flags:
//
//	-record no|above|below|full|slow
//	            what is recorded: nothing, above TLS, below TLS; full: above, on a disk that
//	            has no room; slow: above, with a writer that is too slow
//	-zstd       compressed
//	-dir DIR    for the files, which are rotated and removed
//	-cpu N      of the reactor; all other threads stay on other CPUs
//
// The reactor parks between reads: the processor time of its thread is what work costs.
// The first fifth of the messages does not count. With PROFILE set in the environment it
// writes a CPU profile to that file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/bench/meter"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/stream"
)

// runLimit ends a run that hangs.
const runLimit = 50 * time.Second

type config struct {
	record string
	zstd   bool
	dir    string
	cpu    int
	work   meter.Work
}

func main() {
	var c config
	flag.StringVar(&c.record, "record", "no", "no, above, below, full or slow")
	flag.BoolVar(&c.zstd, "zstd", false, "compress")
	flag.StringVar(&c.dir, "dir", os.TempDir(), "`DIR` for the files")
	flag.IntVar(&c.cpu, "cpu", -1, "CPU of the reactor; -1: any")
	flag.Parse()
	var err error
	if c.work, err = meter.Parse(flag.Args()); err == nil {
		err = run(c)
	}
	if err != nil {
		meter.Fail(err)
	}
}

func run(c config) error {
	tlsConfig, err := c.work.TLSConfig()
	if err != nil {
		return err
	}
	meter.Quiet()
	if err := confine(c.cpu); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.dir, "boomnet-capture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rec, err := newRecording(c, filepath.Join(dir, "feed.pcapng"))
	if err != nil {
		return err
	}
	r, err := reactor.New(reactor.Config{
		CPU: affinity.Fixed(c.cpu), Idle: idle.Park(idle.MaxPark), Tape: rec.tape(),
	})
	if err != nil {
		return errors.Join(err, rec.close())
	}
	ctx, end := context.WithTimeout(context.Background(), runLimit)
	defer end()
	f := &feed{work: c.work, end: end}
	f.URL = c.work.URL()
	f.Options = ws.Options{SkipUTF8: c.work.SkipUTF8, Stream: stream.Options{TLS: tlsConfig}}
	if _, err := reactor.Register(r, f); err != nil {
		return errors.Join(err, rec.close())
	}
	if err := r.Run(ctx); err != nil {
		return errors.Join(err, rec.close())
	}
	if err := rec.close(); err != nil && c.record != "full" {
		return err
	}
	if f.messages < c.work.N {
		return fmt.Errorf("client-capture: %d messages of %d: %v", f.messages, c.work.N, f.loss)
	}
	line := f.line()
	rec.count(&line, int64(f.messages*frameSize(int(f.bytes)/f.messages)+frameSize(2))) // they are of one size; the close frame
	return json.NewEncoder(os.Stdout).Encode(line)
}

// confine keeps all threads that are there, and will be, off the reactor's CPU.
func confine(cpu int) error {
	if cpu < 0 {
		return nil
	}
	runtime.GOMAXPROCS(3) // it would else follow the mask: reactor, writer, and one more
	available, err := affinity.Available()
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(available.CPUs(), func(c int) bool { return c == cpu })
	_, err = affinity.Confine(affinity.Of(others...))
	return err
}

// feed is the endpoint. All of it belongs to the reactor's goroutine until Run
// has returned.
type feed struct {
	endpoint.WebSocket
	work        meter.Work
	end         func()
	messages    int
	bytes       int64
	sink        byte
	began, over sample
	loss        error
	profile     *os.File
}

func (f *feed) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		f.messages++
		f.bytes += int64(len(m.Payload))
		f.sink += m.Payload[0]
	}
	switch reads := c.Counters().Reads; {
	case f.began.wall == 0 && f.messages >= f.work.N/5:
		if err := f.startProfile(); err != nil {
			return err
		}
		f.began.take(f.messages, f.bytes, reads)
	case f.over.wall == 0 && f.messages >= f.work.N:
		f.over.take(f.messages, f.bytes, reads)
		if f.profile != nil {
			pprof.StopCPUProfile()
			_ = f.profile.Close()
		}
	}
	return c.Err()
}

// frameSize is the length of a frame of a server with so much payload.
func frameSize(payload int) int {
	h := frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(payload)}
	return len(frame.AppendHeader(make([]byte, 0, frame.MaxHeaderSize), h)) + payload
}

func (f *feed) startProfile() (err error) {
	file := os.Getenv("PROFILE")
	if file == "" {
		return nil
	}
	if f.profile, err = os.Create(file); err != nil {
		return err
	}
	return pprof.StartCPUProfile(f.profile)
}

func (f *feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	f.loss = e
	f.end()
	return endpoint.Stop
}

// line is what the part between the samples has cost.
func (f *feed) line() meter.Recorded {
	a, b := &f.began, &f.over
	n := b.messages - a.messages
	return meter.Recorded{
		Messages: n, Bytes: b.bytes - a.bytes,
		Rate:    float64(b.bytes-a.bytes) / float64(b.wall-a.wall) * 1e3,
		Reactor: float64(b.thread-a.thread) / float64(n),
		Others:  float64(b.process-a.process-(b.thread-a.thread)) / float64(n),
		Busy:    float64(b.thread-a.thread) / float64(b.wall-a.wall),
		Reads:   float64(n) / float64(b.reads-a.reads),
		Allocs:  int64(b.allocs - a.allocs),
	}
}
