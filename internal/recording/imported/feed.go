package imported

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Feed is a recording of a feed file (package feed): each line is a WebSocket message of
// one connection, text, or binary if it is not UTF-8, received at the time of the line.
// Lines are read when the recording is.
type Feed struct {
	path     string
	endpoint string
	url      *url.URL
	target   string
	start    int64
	progress func(lines int) error
}

// OpenFeed reads the first line. The recorded endpoint has a name, and connected to
// rawURL. progress, if not nil, is called with the number of lines read, now and then; an
// error of it ends reading.
func OpenFeed(path, endpoint, rawURL string, progress func(lines int) error) (*Feed, error) {
	u, target, err := ws.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	in, err := feed.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	first, err := in.Next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("imported: no message in %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("imported: %s: %w", path, err)
	}
	return &Feed{path: path, endpoint: endpoint, url: u, target: target, start: first.Time, progress: progress}, nil
}

// Open implements tape.Recording.
func (f *Feed) Open() (tape.Source, error) {
	in, err := feed.Open(f.path)
	if err != nil {
		return nil, err
	}
	s := &feedSource{feed: f, in: in}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return s, nil
}

// feedSource makes records of lines.
type feedSource struct {
	feed   *Feed
	in     *feed.Reader
	stream *Stream
	ready  tape.Memory // to be handed out
	at     int
	frame  []byte
	last   int64
	lines  int
	out    tape.Record
}

// begin makes the set-up.
func (s *feedSource) begin() error {
	f := s.feed
	r, err := New("feed", f.start, func(rec *tape.Record) error {
		s.ready.Keep(rec)
		return nil
	})
	if err != nil {
		return err
	}
	peer := documentation
	if s.stream, err = r.Connect(&Conn{Endpoint: f.endpoint, Target: f.target, Peer: peer}, f.start); err != nil {
		return err
	}
	key := make([]byte, 16)
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
		f.url.RequestURI(), f.url.Host, base64.StdEncoding.EncodeToString(key))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept(key) + "\r\n\r\n"
	if err := s.stream.Segment(&Segment{Wall: f.start, Sent: true, Data: []byte(request)}); err != nil {
		return err
	}
	s.last = f.start
	return s.stream.Segment(&Segment{Wall: f.start, Data: []byte(answer)})
}

// Next implements tape.Source.
func (s *feedSource) Next() (*tape.Record, error) {
	for s.at == len(s.ready) {
		s.ready, s.at = s.ready[:0], 0
		if err := s.line(); err != nil {
			return nil, err
		}
	}
	s.out = s.ready[s.at]
	s.at++
	return &s.out, nil
}

// line makes the records of a line. A time that is before the last one is the last one:
// feeds of several sources have such lines.
func (s *feedSource) line() error {
	l, err := s.in.Next()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("imported: %s: %w", s.feed.path, err)
	}
	const often = 4096
	if s.lines++; s.lines%often == 0 && s.feed.progress != nil {
		if err := s.feed.progress(s.lines); err != nil {
			return err
		}
	}
	s.last = max(s.last, l.Time)
	op := frame.Text
	if !frame.ValidUTF8(l.Payload) {
		op = frame.Binary
	}
	s.frame = frame.AppendHeader(s.frame[:0], frame.Header{Fin: true, Opcode: op, Length: uint64(len(l.Payload))})
	s.frame = append(s.frame, l.Payload...)
	return s.stream.Segment(&Segment{Wall: s.last, Data: s.frame})
}

// Close implements tape.Source.
func (s *feedSource) Close() error { return s.in.Close() }
