package capture

import (
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
)

const (
	drainLimit = 1024 // records between two looks at the clock
	nap        = time.Millisecond

	plainEvery = 50 * time.Millisecond // what is recorded is written so often at least
	zstdEvery  = time.Second
	plainBytes = 256 << 10 // … or when it is so much
	zstdBytes  = 1 << 20

	retryEvery    = time.Second // after an error of the disk
	freeEvery     = time.Second // between two looks at how much room it has
	distanceEvery = time.Second // between two looks at the wall clock
	maxHold       = time.Second // waiting for TLS secrets
	maxHeld       = 8 << 20
	slowWrite     = time.Second
	calm          = 10 * time.Second // without loss, until the writer is no longer behind
	lastDrain     = 5 * time.Second  // of Close, while the reactor goes on recording
)

// Recorder writes what a tape.Recorder records into files. It has one goroutine.
// Methods may be called on any.
type Recorder struct {
	opts      Options
	tape      *tape.Recorder
	recording string
	closing   atomic.Bool
	done      chan struct{}
	closed    error // valid when done is closed

	mu    sync.Mutex
	stats Stats

	// The writer's own.
	enc       *encoder
	out       *output
	offset    int64 // the machine's clock minus the recorder's
	begun     bool  // a record has come
	started   bool  // enc has the header of this file
	empty     bool  // nothing was written into this file
	now       int64
	born      int64 // when this file began
	wrote     int64 // when something was written last
	synced    int64
	unsynced  bool
	looked    int64 // at the distance
	asked     int64 // how much room there is
	free      int64
	heldNo    uint64
	heldSince int64
	lastSeq   uint64
	records   uint64
	lost      Loss
	down      error // why the disk takes nothing; nil: it does
	tried     int64
	outage    outage
	behind    uint64 // records lost in the ring, as last seen
	behindAt  int64
	troubles  map[string]*Trouble
}

// Loss is what was lost.
type Loss struct {
	Records, Bytes uint64
}

// Stats are counts of a recorder since it was made.
type Stats struct {
	Records uint64 // written, or about to be
	Bytes   uint64 // on the disk
	Files   int    // begun
	File    string // the current one, or the last

	Full Loss   // because the disk would not take it
	Ring uint64 // records lost in the ring and before the connector's bound: the writer was too slow

	Backlog, RingSize int   // bytes in the ring, and its size
	Err               error // why nothing can be written at present; nil: all is well
}

// Create makes the file, which must not exist, mode 0600, and starts the writer. The
// numbered names that its successors may have must be free, too.
//
// A file is valid at any moment: whenever the process dies it opens up to the last
// whole block. Nothing is written before the reactor has begun.
func Create(path string, o Options) (*Recorder, error) {
	r, err := create(path, o)
	if err != nil {
		return nil, err
	}
	go r.run()
	return r, nil
}

// create is Create but for the goroutine.
func create(path string, o Options) (*Recorder, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, zstdSuffix) {
		o.Compress = true
	} else if o.Compress {
		path += zstdSuffix
	}
	if o.MaxBytes > 0 || o.MaxAge > 0 {
		if found, err := Parts(path); err == nil {
			return nil, fmt.Errorf("capture: %s exists, a file of an earlier recording", found[len(found)-1])
		}
	}
	t, err := tape.New(o.Tape)
	if err != nil {
		return nil, err
	}
	out, err := newOutput(o.disk, path, o.Compress, o.MaxFiles)
	if err != nil {
		return nil, err
	}
	if err := out.open(); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	r := &Recorder{
		opts: o, tape: t, out: out, enc: newEncoder(),
		recording: randomName(), done: make(chan struct{}),
		troubles: make(map[string]*Trouble), empty: true, free: -1,
	}
	r.now = o.clock.Now()
	r.born, r.wrote, r.synced, r.looked = r.now, r.now, r.now, r.now
	r.asked = r.now - int64(freeEvery)
	r.publish()
	return r, nil
}

func randomName() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// Tape is the hot side: what reactor.Config.Tape wants.
func (r *Recorder) Tape() *tape.Recorder { return r.tape }

// Stats returns the counts.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	s := r.stats
	r.mu.Unlock()
	s.Ring = r.tape.Lost()
	s.Backlog, s.RingSize = r.tape.Backlog()
	return s
}

// Close writes what was recorded so far and ends the file. It is for after the
// reactor, which ends the file itself; what a reactor records later is lost. The
// error is what was in the way of writing in the end, with what was lost. It may be
// called more than once.
func (r *Recorder) Close() error {
	r.closing.Store(true)
	<-r.done
	return r.closed
}

// run is the writer.
func (r *Recorder) run() {
	defer close(r.done)
	var until int64
	for {
		ended := r.tape.Ended()
		closing := r.closing.Load()
		n := r.tape.Drain(drainLimit, false, r.take)
		r.tick(n == 0)
		switch {
		case closing && until == 0:
			until = r.now + int64(lastDrain)
		case n == drainLimit && (until == 0 || r.now < until):
			continue
		case ended || closing:
			for r.tape.Drain(drainLimit, true, r.take) == drainLimit && (until == 0 || r.now < until) {
				r.tick(false)
			}
			r.closed = r.finish()
			return
		}
		if n == 0 {
			time.Sleep(nap)
		}
	}
}

// take gets one record.
func (r *Recorder) take(rec *tape.Record) {
	if rec.Seq <= r.lastSeq {
		return // of a reactor that records while its recorder is being closed
	}
	r.lastSeq = rec.Seq
	if !r.begun {
		r.begun = true
		wall := r.opts.wall()
		if rec.Kind == tape.KindBegin {
			r.offset = rec.Arg - wall
		}
		r.enc.distance = wall + r.offset
	}
	if r.down != nil {
		r.enc.drop(&r.outage, rec)
		return
	}
	r.start(rec)
	r.enc.record(rec)
	r.records++
	if len(r.enc.buf) >= r.most() {
		r.flush(false)
	}
}

// start begins a file if the encoder has none under way.
func (r *Recorder) start(rec *tape.Record) {
	if r.started {
		return
	}
	r.started = true
	h := header{reactor: r.tape.Name(), at: r.now - r.offset}
	if rec != nil {
		h.at = rec.At
		if rec.Kind == tape.KindBegin {
			h.reactor = string(rec.Text)
		}
	}
	part := r.out.part
	if r.out.file == nil {
		part++
	}
	h.part = partHead{Recording: r.recording, Part: part}
	r.enc.start(h)
}

// most is how many bytes wait at most before they are written.
func (r *Recorder) most() int {
	if r.opts.Compress {
		return zstdBytes
	}
	if left := r.opts.MaxBytes - r.out.size; r.opts.MaxBytes > 0 && left < plainBytes {
		return int(max(left, 1))
	}
	return plainBytes
}

// tick is what is to be done from time to time.
func (r *Recorder) tick(idle bool) {
	r.now = r.opts.clock.Now()
	if r.down != nil {
		r.retry()
	}
	if r.begun && r.now-r.looked >= int64(distanceEvery) {
		r.looked = r.now
		r.enc.setDistance(r.opts.wall() + r.offset)
	}
	every := plainEvery
	if r.opts.Compress {
		every = zstdEvery
	}
	if r.now-r.wrote >= int64(every) {
		r.flush(false)
	}
	if r.opts.MaxAge > 0 && r.now-r.born >= int64(r.opts.MaxAge) && r.down == nil && r.started {
		r.flush(true)
		r.rotate()
	}
	if d := int64(r.opts.Sync); d > 0 && r.unsynced && r.now-r.synced >= d {
		r.sync()
	}
	r.watchRing()
	if idle || r.down != nil {
		r.publish()
	}
}

// flush writes what the encoder has, unless it holds something back; force does not
// wait for that.
func (r *Recorder) flush(force bool) {
	e := r.enc
	if r.down != nil || !r.started {
		return
	}
	if e.hold >= 0 && !force && len(e.buf) < maxHeld {
		if e.holdNo != r.heldNo {
			r.heldNo, r.heldSince = e.holdNo, r.now
		}
		if r.now-r.heldSince < int64(maxHold) {
			return
		}
	}
	if len(e.buf) == 0 && e.entries == 0 {
		r.wrote = r.now
		return
	}
	if len(e.buf) == 0 && !force && r.now-r.wrote < int64(time.Second) {
		return // for a packet that they can go along with
	}
	e.flush()
	if err := r.write(); err != nil {
		r.down, r.tried, r.outage = err, r.now, outage{}
		r.publish()
		return
	}
	if r.opts.MaxBytes > 0 && r.out.size >= r.opts.MaxBytes {
		r.rotate()
	}
}

// write writes the encoder's blocks, all or none.
func (r *Recorder) write() error {
	if err := r.room(); err != nil {
		r.trouble("room", err)
		return err
	}
	before := r.opts.clock.Now()
	if err := r.out.write(r.enc.buf); err != nil {
		err = fmt.Errorf("capture: writing %s: %w", r.target(), err)
		r.trouble("write", err)
		return err
	}
	r.enc.took()
	r.empty, r.unsynced = false, true
	after := r.opts.clock.Now()
	r.now, r.wrote = after, after
	if took := time.Duration(after - before); took >= slowWrite {
		r.trouble("slow", fmt.Errorf("%w: a write to %s took %v", ErrSlow, r.out.name, took.Round(time.Millisecond)))
	} else {
		r.over("slow", Loss{})
	}
	return nil
}

// target is the name of the file that is being written.
func (r *Recorder) target() string {
	if r.out.file == nil {
		return partName(r.out.path, r.out.part+1)
	}
	return r.out.name
}

// room looks whether the disk has more room than MinFree, from time to time.
func (r *Recorder) room() error {
	if r.opts.MinFree < 0 {
		return nil
	}
	if now := r.opts.clock.Now(); now-r.asked >= int64(freeEvery) {
		r.asked = now
		free, err := r.opts.disk.free(r.out.path)
		if err != nil {
			free = -1 // writing will tell
		}
		r.free = free
	}
	if r.free >= 0 && r.free < r.opts.MinFree {
		return fmt.Errorf("%w: %s: %d bytes are free, MinFree is %d", ErrFree, r.target(), r.free, r.opts.MinFree)
	}
	return nil
}

// retry tries again what could not be written, and goes on when it can.
func (r *Recorder) retry() {
	if r.now-r.tried < int64(retryEvery) {
		return
	}
	r.tried = r.now
	if err := r.write(); err != nil {
		r.down = err
		return
	}
	r.down = nil
	loss := r.outage.loss()
	r.lost.Records += loss.Records
	r.lost.Bytes += loss.Bytes
	if r.outage.records > 0 {
		r.enc.resume(&r.outage)
	}
	r.outage = outage{}
	r.over("room", loss)
	r.over("write", loss)
	if r.opts.MaxBytes > 0 && r.out.size >= r.opts.MaxBytes {
		r.flush(true)
		r.rotate()
	}
}

// rotate ends the file; the next begins with the next record.
func (r *Recorder) rotate() {
	if r.down != nil || r.empty || len(r.enc.buf) > 0 {
		return
	}
	r.enc.finish("")
	if err := r.out.write(r.enc.buf); err != nil { // it is good without that
		r.trouble("end", fmt.Errorf("capture: ending %s: %w", r.out.name, err))
	}
	r.enc.took()
	r.closeFile()
	if err := r.out.prune(); err != nil {
		r.trouble("remove", fmt.Errorf("capture: %w", err))
	} else {
		r.over("remove", Loss{})
	}
	r.started, r.empty, r.born = false, true, r.now
	r.publish()
}

func (r *Recorder) closeFile() {
	r.unsynced = false
	if err := r.out.close(r.opts.Sync != SyncNever); err != nil {
		r.trouble("end", fmt.Errorf("capture: ending %s: %w", r.out.name, err))
		return
	}
	r.over("end", Loss{})
}

func (r *Recorder) sync() {
	r.synced, r.unsynced = r.now, false
	if r.out.file == nil {
		return
	}
	if err := r.out.file.Sync(); err != nil {
		r.trouble("sync", fmt.Errorf("capture: syncing %s: %w", r.out.name, err))
		return
	}
	r.over("sync", Loss{})
}

// finish writes the last and ends the file.
func (r *Recorder) finish() error {
	r.now = r.opts.clock.Now()
	if r.down != nil {
		r.tried = r.now - int64(retryEvery)
		r.asked = r.now - int64(freeEvery)
		r.retry()
	}
	if r.down == nil && !r.started && r.out.part == 1 {
		r.enc.distance = r.opts.wall() + r.offset
		r.start(nil) // nothing was recorded: a file all the same
	}
	if r.down == nil && r.started {
		r.enc.finish("")
		r.flush(true)
	}
	var err error
	if r.down != nil {
		loss := r.outage.loss()
		r.lost.Records += loss.Records
		r.lost.Bytes += loss.Bytes
		err = fmt.Errorf("%w; lost because of this: %d records with %d bytes, and what was waiting", r.down, loss.Records, loss.Bytes)
	}
	r.unsynced = false
	if closing := r.out.close(r.opts.Sync != SyncNever); closing != nil {
		err = errors.Join(err, fmt.Errorf("capture: ending %s: %w", r.out.name, closing))
	}
	r.publish()
	return err
}

// watchRing looks whether records were lost before they came here.
func (r *Recorder) watchRing() {
	lost := r.tape.Lost()
	switch {
	case lost != r.behind:
		r.enc.dropped += lost - r.behind
		r.behind, r.behindAt = lost, r.now
		_, size := r.tape.Backlog()
		r.trouble("ring", fmt.Errorf("%w: %d so far; the ring has %d bytes", ErrBehind, lost, size))
	case lost > 0 && r.now-r.behindAt >= int64(calm):
		r.over("ring", Loss{Records: lost})
	}
}

// trouble reports err, unless this kind is under way.
func (r *Recorder) trouble(kind string, err error) {
	if r.troubles[kind] != nil {
		return
	}
	t := &Trouble{Err: err, Path: r.target()}
	r.troubles[kind] = t
	if r.opts.Report != nil {
		r.opts.Report(t)
	}
}

// over reports that a kind of trouble has ended, if it was under way.
func (r *Recorder) over(kind string, l Loss) {
	t := r.troubles[kind]
	if t == nil {
		return
	}
	delete(r.troubles, kind)
	if r.opts.Report != nil {
		end := *t
		end.Over, end.Records, end.Bytes = true, l.Records, l.Bytes
		r.opts.Report(&end)
	}
}

// publish makes the counts visible.
func (r *Recorder) publish() {
	full, extra := r.lost, r.outage.loss()
	full.Records += extra.Records
	full.Bytes += extra.Bytes
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats = Stats{
		Records: r.records, Bytes: uint64(r.out.written), Files: r.out.part, File: r.out.name,
		Full: full, Err: r.down,
	}
}
