package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/markdown"
)

// goBlocks returns the Go code in README.md.
func goBlocks(t *testing.T) []string {
	t.Helper()
	page, err := markdown.Read("../README.md")
	require.NoError(t, err)
	var blocks []string
	for _, f := range page.Fences {
		if f.Lang == "go" {
			blocks = append(blocks, f.Text)
		}
	}
	return blocks
}

func TestTheReadmesProgramRuns(t *testing.T) {
	url, _ := startExchange(t, false)
	program := goBlocks(t)[0]
	const its = "ws://127.0.0.1:9443"
	require.Contains(t, program, its)
	file := filepath.Join(t.TempDir(), "readme.go")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(program, its, url, 1)), 0o600))
	p := run(t, filepath.Join(build(t, file), "readme"))
	p.until(`{"result":null,"id":1}`)
	p.until(`{"e":"trade"`)
	p.interrupt()
	p.end()
	require.Regexp(t, `connection 1 lost while closing: ws: closed by us: 1000 normal\n$`, p.stderr.String())
}

// snippetHead is what the README's snippets, each the body of a function, may use.
const snippetHead = `package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/dns"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

type Orders struct {
	endpoint.WebSocket
	rejected int
}

var (
	_ = []any{fmt.Sprint, netip.Addr{}, time.Second, affinity.Unbound, dns.System, ws.Options{}, frame.Text, idle.Spin, selector.Epoll, stream.Options{}}

	ctx    context.Context
	r      *reactor.Reactor
	orders *Orders
	order  []byte
	buf    []byte
	book   Book
	feed   *Feed
)

type Trade struct{ Price, Size int64 }

type Book struct{}

func (*Book) Apply(*Trade) {}

type Feed struct {
	endpoint.WebSocket
	out *reactor.Sender[Trade]
}

func main() {}
`

func TestTheReadmesSnippetsCompile(t *testing.T) {
	var b strings.Builder
	b.WriteString(snippetHead)
	snippets := goBlocks(t)[1:]
	require.NotEmpty(t, snippets)
	for i, s := range snippets {
		fmt.Fprintf(&b, "\nfunc snippet%d() error {\n%s\nreturn nil\n}\n", i, s)
	}
	file := filepath.Join(t.TempDir(), "snippets.go")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	build(t, file)
}
