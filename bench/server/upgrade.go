package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxRequest = 8 << 10
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
)

// readRequest reads up to the blank line and returns the path and the
// Sec-WebSocket-Key. Clients wait for the answer before they send more, so
// bytes behind the blank line are an error.
func readRequest(r io.Reader) (path, key string, err error) {
	buf := make([]byte, 0, maxRequest)
	end := -1
	for end < 0 {
		if len(buf) == cap(buf) {
			return "", "", fmt.Errorf("request larger than %d bytes", maxRequest)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return "", "", err
		}
		buf = buf[:len(buf)+n]
		end = bytes.Index(buf, []byte("\r\n\r\n"))
	}
	if extra := len(buf) - end - 4; extra > 0 {
		return "", "", fmt.Errorf("%d bytes behind the request", extra)
	}
	lines := strings.Split(string(buf[:end]), "\r\n")
	request := strings.Fields(lines[0])
	if len(request) != 3 || request[0] != "GET" {
		return "", "", fmt.Errorf("bad request line %q", lines[0])
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Sec-WebSocket-Key") {
			return request[1], strings.TrimSpace(value), nil
		}
	}
	return "", "", errors.New("request without Sec-WebSocket-Key")
}

// response accepts the upgrade (RFC 6455, section 4.2.2).
func response(key string) []byte {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
}

// work is what a path asks for.
type work struct {
	mode  string
	n     int // frames in all, or frames a burst
	size  int // bytes of payload in a frame
	param int // flood: frames a write; paced, steady: microseconds between writes
	each  int // steady: frames a write
}

// Bounds of a path's numbers: nothing larger is of use, and the memory of a
// connection stays below maxBatch.
const (
	maxFrames = 1 << 30
	maxSize   = 64 << 10
	maxMicros = 1_000_000
	maxBatch  = 64 << 20
)

func parseWork(path string) (work, error) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	want := map[string]int{"burst": 3, "flood": 4, "paced": 4, "steady": 5}[parts[0]]
	if want == 0 || len(parts) != want {
		return work{}, fmt.Errorf("path %q is none of /burst/N/SIZE, /flood/N/SIZE/BATCH, /paced/N/SIZE/MICROS, /steady/N/SIZE/MICROS/BATCH", path)
	}
	w := work{mode: parts[0]}
	fields := []struct {
		to       *int
		name     string
		min, max int
	}{{&w.n, "N", 1, maxFrames}, {&w.size, "SIZE", minPayload, maxSize}, {&w.param, "BATCH or MICROS", 1, maxMicros}, {&w.each, "BATCH", 1, maxMicros}}
	for i, s := range parts[1:] {
		f := fields[i]
		v, err := strconv.Atoi(s)
		if err != nil || v < f.min || v > f.max {
			return work{}, fmt.Errorf("path %q: %s %q is not within %d to %d", path, f.name, s, f.min, f.max)
		}
		*f.to = v
	}
	if batch := w.batch(); batch*(w.size+maxHeader) > maxBatch {
		return work{}, fmt.Errorf("path %q: %d frames of %d bytes in one write are more than %d bytes", path, batch, w.size, maxBatch)
	}
	return w, nil
}

// batch is how many frames leave in one write.
func (w work) batch() int {
	switch w.mode {
	case "burst":
		return w.n
	case "flood":
		return w.param
	case "steady":
		return w.each
	}
	return 1
}
