package capture

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// File is a recording in one or more files. It is a tape.Recording.
type File struct {
	info    Info
	lenient bool
}

// Info is what the files of a recording say of it.
type Info struct {
	Reactor   string    // its name
	Recording string    // a random name that all files of the recording have
	Start     time.Time // when the first of these files began
	Software  string    // that wrote it
	OS        string
	Hardware  string
	Comment   string // of the file: what was cut
	Files     []FileInfo
}

// FileInfo is one file.
type FileInfo struct {
	Path        string
	Part        int       // its number in the recording, from 1; 0: it does not say
	Start       time.Time // when it began
	Size        int64     // in bytes, on the disk
	Compression string    // "", "zstd" or "gzip"
}

// headBlocks is how many blocks Open reads to find the first of ours.
const headBlocks = 1000

// Open opens a recording: one file, or all files of a rotation in any order (see
// [Parts]), plain or compressed by zstd or gzip. It reads the begin of each. Errors:
// ErrForeign for a capture that others have made, ErrTruncated for a file that ends
// before it says anything, ErrParts when the files are of several recordings or one
// in the middle is missing; those of pcapng and of the system.
func Open(paths ...string) (*File, error) {
	if len(paths) == 0 {
		return nil, errors.New("capture: no file to open")
	}
	f := new(File)
	for _, path := range paths {
		if err := f.add(path); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(f.info.Files, func(a, b FileInfo) int { return a.Part - b.Part })
	for i, part := range f.info.Files[1:] {
		if before := f.info.Files[i]; part.Part != before.Part+1 {
			return nil, fmt.Errorf("%w: %s is number %d and %s is %d", ErrParts, before.Path, before.Part, part.Path, part.Part)
		}
	}
	f.info.Start = f.info.Files[0].Start
	return f, nil
}

// Info returns what the files say. It shares Files with f.
func (f *File) Info() Info { return f.info }

// Lenient says whether a file that is truncated ends there, instead of with
// ErrTruncated. It holds for readers made later.
func (f *File) Lenient(yes bool) { f.lenient = yes }

// Open implements tape.Recording; see Read.
func (f *File) Open() (tape.Source, error) {
	r, err := f.Read()
	if err != nil {
		return nil, err
	}
	return r, nil
}

// add reads the begin of a file.
func (f *File) add(path string) error {
	in, err := openInput(path)
	if err != nil {
		return err
	}
	defer in.Close()
	blocks, err := pcapng.NewReader(in)
	if err != nil {
		return wrongAt(path, err)
	}
	info, file := Info{}, FileInfo{Path: path, Size: in.size, Compression: in.compression}
	var head *partHead
	ours := false
	for n := 0; !ours; n++ {
		b, err := blocks.Next()
		switch {
		case errors.Is(err, io.EOF) || n == headBlocks:
			return fmt.Errorf("%w: %s: a %s file with no record in its first %d blocks", ErrForeign, path, blocks.Format(), n)
		case err != nil:
			return wrongAt(path, err)
		}
		switch b.Kind {
		case pcapng.KindSection:
			info.read(b.Section.Options)
		case pcapng.KindInterface:
			info.Reactor = b.Interface.Name
		case pcapng.KindCustom:
			kind, rest, ok, err := customPrefix(b.Custom)
			if err != nil {
				return corrupt(path, b.Offset, err)
			}
			if ours = ok; ok && kind == blockPart {
				if head, err = parsePart(rest); err != nil {
					return corrupt(path, b.Offset, err)
				}
			}
		case pcapng.KindPacket:
			if file.Start.IsZero() {
				file.Start = time.Unix(0, b.Packet.Time)
			}
			for _, o := range b.Packet.Options {
				if data, ok := pcapng.CustomData(o, pen); ok {
					_, _, mine, err := parsePrefix(data)
					if err != nil {
						return corrupt(path, b.Offset, err)
					}
					ours = ours || mine
				}
			}
		}
	}
	if head != nil {
		info.Recording, file.Part, file.Start = head.Recording, head.Part, time.Unix(0, head.Created)
	}
	if len(f.info.Files) > 0 && (head == nil || info.Recording != f.info.Recording) {
		return fmt.Errorf("%w: %s is of another recording than %s", ErrParts, path, f.info.Files[0].Path)
	}
	info.Files = append(f.info.Files, file)
	f.info = info
	return nil
}

// read takes what a section header says.
func (i *Info) read(options []pcapng.Option) {
	*i = Info{}
	for _, o := range options {
		switch o.Code {
		case pcapng.OptUserAppl:
			i.Software = o.Text()
		case pcapng.OptOS:
			i.OS = o.Text()
		case pcapng.OptHardware:
			i.Hardware = o.Text()
		case pcapng.OptComment:
			i.Comment = strings.TrimPrefix(i.Comment+"\n"+o.Text(), "\n")
		}
	}
}

// customPrefix is parsePrefix of a block.
func customPrefix(b *pcapng.CustomBlock) (kind byte, rest []byte, ok bool, err error) {
	if b.PEN != pen {
		return 0, nil, false, nil
	}
	return parsePrefix(b.Data)
}

// parsePart reads the block of a partHead behind its prefix.
func parsePart(b []byte) (*partHead, error) {
	b, err := sized(b)
	if err != nil {
		return nil, err
	}
	var h partHead
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, err
	}
	if h.Part < 1 {
		return nil, fmt.Errorf("it is file %d, and the first is 1", h.Part)
	}
	return &h, nil
}

// sized cuts off the padding of a block's data, which begin with their length.
func sized(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%d bytes, at least 4", len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, fmt.Errorf("a length of %d, and %d bytes are there", n, len(b)-4)
	}
	return b[4 : 4+n], nil
}

// corrupt is an error of a block.
func corrupt(path string, offset int64, why error) error {
	return &Error{Err: ErrCorrupt, Path: path, Offset: offset, Detail: why.Error()}
}

// wrongAt is an error of pcapng in a file.
func wrongAt(path string, err error) error {
	var e *pcapng.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("capture: %s: %w", path, err)
	}
	switch {
	case errors.Is(err, pcapng.ErrTruncated):
		return &Error{Err: ErrTruncated, Path: path, Offset: e.Offset, Detail: e.Detail}
	case errors.Is(err, pcapng.ErrFormat):
		return fmt.Errorf("capture: %s: %w", path, err)
	case errors.Is(err, pcapng.ErrBlock), errors.Is(err, pcapng.ErrLength), errors.Is(err, pcapng.ErrLimit), errors.Is(err, pcapng.ErrVersion):
		return &Error{Err: ErrCorrupt, Path: path, Offset: e.Offset, Detail: e.Error()}
	}
	return &Error{Err: err, Path: path, Offset: e.Offset}
}

// input is a file, decompressed.
type input struct {
	io.Reader
	file        *os.File
	zstd        *zstd.Decoder
	size        int64
	compression string
}

// maxWindow bounds the memory of a zstd decoder.
const maxWindow = 64 << 20

func openInput(path string) (*input, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	in := &input{file: file}
	if err := in.detect(); err != nil {
		_ = file.Close() // was only read
		return nil, fmt.Errorf("capture: %s: %w", path, err)
	}
	return in, nil
}

func (in *input) detect() error {
	stat, err := in.file.Stat()
	if err != nil {
		return err
	}
	in.size = stat.Size()
	buffered := bufio.NewReaderSize(in.file, 256<<10)
	head, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	in.Reader = buffered
	switch {
	case len(head) == 4 && binary.LittleEndian.Uint32(head) == 0xfd2fb528:
		in.compression = "zstd"
		in.zstd, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		in.Reader = in.zstd
		return err
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		in.compression = "gzip"
		in.Reader, err = gzip.NewReader(buffered)
		return err
	}
	return nil
}

func (in *input) Close() error {
	if in.zstd != nil {
		in.zstd.Close()
	}
	return in.file.Close()
}
