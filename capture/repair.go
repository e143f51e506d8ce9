package capture

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/boomnet-go/boomnet/capture/pcapng"
)

// Report is what Repair has found and done.
type Report struct {
	Path        string
	Compression string // "", "zstd" or "gzip"; offsets and lengths are of what it holds
	Blocks      int    // that are whole, and stay
	Whole       int64  // the file is good up to here …
	Cut         int64  // … and so much behind it is cut; 0: nothing
	Why         error  // what is wrong behind Whole; nil: nothing is
	Bad         []Bad  // blocks before Whole that are left out
}

// Bad is a block whose inside is wrong.
type Bad struct {
	Offset, Size int64
	Why          error
}

// Damaged reports whether there is anything to repair.
func (r *Report) Damaged() bool { return r.Why != nil || len(r.Bad) > 0 }

// ErrBusy: the file is being written by a recorder.
var ErrBusy = errors.New("capture: the file is being written")

// Repair makes a file whole that ends in the middle, as when its writer was killed or
// the machine has lost power: what is behind the last whole record is cut off, and
// blocks whose inside is wrong are left out. The file is changed in place; one that
// is compressed, or has wrong blocks, is written anew beside itself and then replaced,
// with the same permissions. A file with nothing wrong is not touched. If w is not
// nil the repaired file is written there, not compressed, and path stays as it is.
//
// It works for any pcapng or pcap file. ErrBusy: a recorder has it; ErrTruncated:
// there is nothing whole in it, and it is left alone.
func Repair(path string, w io.Writer) (Report, error) {
	if w == nil {
		unlock, err := lockPath(path)
		if err != nil {
			return Report{Path: path}, err
		}
		defer unlock()
	}
	r, err := scan(path)
	if err != nil {
		return r, err
	}
	switch {
	case w != nil:
		return r, copyWhole(w, &r)
	case !r.Damaged():
		return r, nil
	case r.Compression == "" && len(r.Bad) == 0:
		return r, truncate(path, r.Whole)
	}
	return r, rewrite(&r)
}

// scan finds what is whole in a file.
func scan(path string) (Report, error) {
	r := Report{Path: path}
	in, err := openInput(path)
	if err != nil {
		return r, err
	}
	defer in.Close()
	r.Compression = in.compression
	blocks, err := pcapng.NewReader(in)
	if err != nil {
		return r, wrongAt(path, err)
	}
	var end int64 // of the last block
	open := false // the last record goes on
	for {
		b, err := blocks.Next()
		if wrong := new(pcapng.Error); errors.As(err, &wrong) && (errors.Is(err, pcapng.ErrBlock) || errors.Is(err, pcapng.ErrVersion)) {
			r.Bad = append(r.Bad, Bad{Offset: wrong.Offset, Why: wrongAt(path, err)})
			continue
		}
		if n := len(r.Bad); n > 0 && r.Bad[n-1].Size == 0 {
			next := b.Offset
			if err != nil {
				next = blocks.Whole()
				if wrong := new(pcapng.Error); errors.As(err, &wrong) {
					next = wrong.Offset
				}
			}
			sizeBad(r.Bad, next)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.Why = wrongAt(path, err)
			} else if open {
				r.Why = &Error{Err: ErrTruncated, Path: path, Offset: r.Whole, Detail: "the last record has no end"}
			}
			break
		}
		r.Blocks++
		end = b.Offset + b.Size
		if open = goesOn(&b, open); !open {
			r.Whole = end
		}
	}
	if end == 0 && blocks.Whole() > 0 {
		r.Whole = blocks.Whole() // a pcap's header
	}
	if r.Whole == 0 {
		return r, &Error{Err: ErrTruncated, Path: path, Detail: "nothing in it is whole"}
	}
	if r.Compression == "" {
		r.Cut = in.size - r.Whole
	} else {
		r.Cut = end - r.Whole
	}
	r.Bad = before(r.Bad, r.Whole)
	return r, nil
}

// sizeBad gives the bad blocks that have none yet their sizes; the last ends at next.
func sizeBad(bad []Bad, next int64) {
	for i := len(bad) - 1; i >= 0 && bad[i].Size == 0; i-- {
		bad[i].Size = next - bad[i].Offset
		next = bad[i].Offset
	}
}

// before are those of bad that begin before an offset.
func before(bad []Bad, offset int64) []Bad {
	for len(bad) > 0 && bad[len(bad)-1].Offset >= offset {
		bad = bad[:len(bad)-1]
	}
	return bad
}

// goesOn says whether behind b a record goes on; open: it did before.
func goesOn(b *pcapng.Block, open bool) bool {
	after := func(kind byte) {
		switch kind {
		case markMore, blockData:
			open = true
		case markRecord, blockBatch:
			open = false
		}
	}
	switch b.Kind {
	case pcapng.KindPacket:
		for _, o := range b.Packet.Options {
			if data, ok := pcapng.CustomData(o, pen); ok {
				if kind, _, mine, err := parsePrefix(data); mine && err == nil {
					after(kind)
				}
			}
		}
	case pcapng.KindCustom:
		if kind, _, mine, err := customPrefix(b.Custom); mine && err == nil {
			after(kind)
		}
	}
	return open
}

// copyWhole copies what is whole to w.
func copyWhole(w io.Writer, r *Report) error {
	in, err := openInput(r.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	var at int64
	for _, b := range append(r.Bad, Bad{Offset: r.Whole}) {
		if _, err := io.CopyN(w, in, b.Offset-at); err != nil {
			return fmt.Errorf("capture: copying %s: %w", r.Path, err)
		}
		if _, err := io.CopyN(io.Discard, in, b.Size); err != nil {
			return fmt.Errorf("capture: reading %s: %w", r.Path, err)
		}
		at = b.Offset + b.Size
	}
	return nil
}

func truncate(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	err = errors.Join(f.Truncate(size), f.Sync(), f.Close())
	if err != nil {
		err = fmt.Errorf("capture: cutting %s at %d: %w", path, size, err)
	}
	return err
}

// rewrite replaces the file by one with what is whole, compressed as it was.
func rewrite(r *Report) error {
	info, err := os.Stat(r.Path)
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(r.Path), filepath.Base(r.Path)+".repair-*")
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	err = compressWhole(f, r)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), r.Path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error is told
		return fmt.Errorf("capture: repairing %s: %w", r.Path, err)
	}
	return nil
}

func compressWhole(w io.Writer, r *Report) error {
	var z io.WriteCloser
	switch r.Compression {
	case "zstd":
		enc, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		z = enc
	case "gzip":
		z = gzip.NewWriter(w)
	default:
		return copyWhole(w, r)
	}
	err := copyWhole(z, r)
	return errors.Join(err, z.Close())
}
