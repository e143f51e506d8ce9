package exchange

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/clock"
)

// headerLimit is the limit of an upgrade request in bytes.
const headerLimit = 16 << 10

// request is what the upgrade asked for.
type request struct {
	path  string
	query url.Values
	names []string // streams to subscribe to from the start
	key   string   // Sec-WebSocket-Key
	zip   *agreement
	echo  bool
	feed  bool
}

// refusal is an HTTP answer instead of an upgrade.
type refusal struct {
	status int
	header http.Header
	body   string
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, body: fmt.Sprintf(format, args...)}
}

// bytes is the refusal on the wire; the connection ends behind it.
func (r *refusal) bytes() []byte {
	var b bytes.Buffer
	body := r.body + "\n"
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	header := r.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Connection", "close")
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	_ = header.Write(&b) // a bytes.Buffer takes everything
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

// handle reads the request, answers it, and serves the WebSocket if it became one.
func (c *conn) handle() {
	head := &io.LimitedReader{R: c.net, N: headerLimit}
	in := bufio.NewReader(head)
	r, err := http.ReadRequest(in)
	if err != nil {
		switch {
		case head.N <= 0:
			c.answer(refuse(http.StatusRequestHeaderFieldsTooLarge, "request over %d bytes", headerLimit))
		case err == io.EOF:
			c.abort("no request")
		default:
			c.answer(refuse(http.StatusBadRequest, "%v", err))
		}
		return
	}
	if strings.HasPrefix(r.URL.Path, controlPath) {
		c.answer(c.srv.control(r.URL, c.net.RemoteAddr()))
		return
	}
	if no := c.check(r); no != nil {
		c.answer(no)
		return
	}
	f, asked, err := queryFault(c.request.query)
	if err != nil {
		c.answer(refuse(http.StatusBadRequest, "%v", err))
		return
	}
	faults := c.srv.takePending()
	if asked {
		faults = append(faults, f)
	}
	answer := switching(acceptKey(c.request.key), c.request.zip)
	if c.request.zip != nil {
		c.out.deflate = newDeflater(c.request.zip)
	}
	drip := time.Duration(-1)
	for _, f := range faults {
		switch f.Kind {
		case UpgradeDrip:
			drip = f.For
		case UpgradeAccept:
			answer = switching(acceptKey("wrong"), nil)
		case Refuse, UpgradeGarbage, UpgradeDrop, UpgradeHang:
			c.spoil(f)
			return
		default:
			continue
		}
		c.srv.stats.fault(f.Kind)
	}
	c.killAt.Store(0)
	c.lastPong.Store(clock.Nano())
	c.upgraded.Store(true)
	c.srv.stats.upgrades.Add(1)
	// The answer and the first data leave together where they can, so that
	// a client must be ready for bytes behind the header.
	if drip < 0 {
		_ = c.out.putControl(answer, false)
	} else {
		_ = c.out.at(0, false, func() { c.drip(answer, drip) })
	}
	for _, f := range faults {
		if !f.Kind.onUpgrade() {
			c.ask(f)
		}
	}
	if c.enter() {
		c.start()
		left, _ := in.Peek(in.Buffered())
		c.read(bytes.Clone(left))
	}
}

// check decides whether r can be upgraded (RFC 6455, section 4.2.1).
func (c *conn) check(r *http.Request) *refusal {
	c.request = request{path: r.URL.Path, query: r.URL.Query()}
	if no := c.route(); no != nil {
		return no
	}
	if r.Method != http.MethodGet {
		no := refuse(http.StatusMethodNotAllowed, "method %s, want GET", r.Method)
		no.header = http.Header{"Allow": {"GET"}}
		return no
	}
	if !r.ProtoAtLeast(1, 1) {
		return refuse(http.StatusBadRequest, "%s, want HTTP/1.1", r.Proto)
	}
	if !hasToken(r.Header["Upgrade"], "websocket") || !hasToken(r.Header["Connection"], "upgrade") {
		no := refuse(http.StatusUpgradeRequired, "this is a WebSocket: Upgrade and Connection say otherwise")
		no.header = http.Header{"Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}}
		return no
	}
	if v := r.Header.Get("Sec-Websocket-Version"); v != "13" {
		no := refuse(http.StatusUpgradeRequired, "Sec-WebSocket-Version %q, want 13", v)
		no.header = http.Header{"Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}}
		return no
	}
	key := r.Header.Get("Sec-Websocket-Key")
	if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 16 {
		return refuse(http.StatusBadRequest, "Sec-WebSocket-Key %q is not 16 bytes in base64", key)
	}
	c.request.key = key
	c.request.zip = negotiate(r.Header["Sec-Websocket-Extensions"])
	if r.Host == "" {
		return refuse(http.StatusBadRequest, "no Host")
	}
	return nil
}

// route finds out what the path asks for.
func (c *conn) route() *refusal {
	q := &c.request
	var names string
	switch {
	case q.path == "/echo":
		q.echo = true
	case q.path == "/feed":
		if c.srv.tape == nil {
			return refuse(http.StatusNotFound, "no recorded feed is served")
		}
		q.feed = true
	case q.path == "/stream":
		c.combined = true
		names = q.query.Get("streams")
	case q.path == "/ws":
	case strings.HasPrefix(q.path, "/ws/"):
		names = strings.TrimPrefix(q.path, "/ws/")
	default:
		return refuse(http.StatusNotFound, "no such path: %s; there are /ws, /stream, /echo and /feed", q.path)
	}
	if names == "" {
		return nil
	}
	q.names = strings.Split(names, "/")
	if len(q.names) > maxStreams {
		return refuse(http.StatusBadRequest, "%d streams, limit %d", len(q.names), maxStreams)
	}
	for _, name := range q.names {
		if _, err := parseStream(name); err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
	}
	return nil
}

// answer sends a refusal and ends the connection.
func (c *conn) answer(r *refusal) {
	if r.status >= 400 {
		c.srv.stats.refused.Add(1)
	}
	_ = c.out.putControl(r.bytes(), false)
	c.leave()
}

// leave writes what is queued, ends our direction and waits for the client's end.
func (c *conn) leave() {
	_ = c.out.at(0, true, c.finish)
	c.start()
	_, _ = io.Copy(io.Discard, c.net)
}

// hasToken looks for a token in comma-separated header values, ignoring case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// acceptKey is Sec-WebSocket-Accept (RFC 6455, section 4.2.2, item 5.4).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func switching(accept string, zip *agreement) []byte {
	s := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + accept + "\r\n"
	if zip != nil {
		s += zip.header()
	}
	return []byte(s + "\r\n")
}
