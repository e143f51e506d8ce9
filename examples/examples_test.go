package examples

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// limit bounds the life of a program under test.
const limit = 30 * time.Second

// build makes programs of packages, or of one file, and returns where they are.
func build(t *testing.T, what string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	// -s and -w: without what only a debugger reads, linking takes half the time.
	out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", dir+"/", what).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// startExchange starts a simulated exchange; ca is a file with its certificate.
func startExchange(t *testing.T, secure bool) (url, ca string) {
	t.Helper()
	cfg := exchange.Config{Rate: 200, Seed: 1}
	if secure {
		cfg.TLS = &exchange.TLS{}
	}
	s, err := exchange.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	if secure {
		ca = filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(ca, s.CA(), 0o600))
	}
	return s.URL(), ca
}

// program is a program that runs, with its standard output line by line.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *bufio.Scanner
	stderr strings.Builder
	said   strings.Builder
}

func run(t *testing.T, name string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	p := &program{t: t, cmd: exec.CommandContext(ctx, name, args...)}
	p.cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "BOOMNET_DIR="+filepath.Join(t.TempDir(), "counters"))
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewScanner(out)
	require.NoError(t, p.cmd.Start())
	return p
}

// until reads lines up to one that begins with prefix.
func (p *program) until(prefix string) {
	p.t.Helper()
	for p.out.Scan() {
		p.said.WriteString(p.out.Text() + "\n")
		if strings.HasPrefix(p.out.Text(), prefix) {
			return
		}
	}
	_ = p.cmd.Wait()
	p.t.Fatalf("no line that begins with %q in\n%s%s", prefix, p.said.String(), p.stderr.String())
}

// interrupt is Ctrl-C.
func (p *program) interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGINT))
}

// end waits for a clean exit and returns all that was printed.
func (p *program) end() string {
	p.t.Helper()
	err := p.wait()
	require.NoError(p.t, err, "%s%s", p.said.String(), p.stderr.String())
	return p.said.String()
}

// fails waits for an exit with an error and returns what was said of it.
func (p *program) fails() string {
	p.t.Helper()
	require.Error(p.t, p.wait(), "%s%s", p.said.String(), p.stderr.String())
	return p.stderr.String()
}

func (p *program) wait() error {
	for p.out.Scan() {
		p.said.WriteString(p.out.Text() + "\n")
	}
	return p.cmd.Wait()
}

func TestEveryExampleIsListed(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	for _, main := range mains {
		require.Contains(t, string(doc), "\n//\t"+filepath.Dir(main)+" ", "doc.go lists every example with what it shows")
	}
}

func TestExamples(t *testing.T) {
	bin := build(t, "./...")
	plain, _ := startExchange(t, false)
	secured, ca := startExchange(t, true)
	for _, c := range []struct {
		name   string
		path   string // added to the exchange's URL
		args   []string
		during func(*program) // before its end is waited for
		want   string         // a regular expression; (?s) lets . match newlines
	}{
		{"single", "/ws/btcusdt@trade", []string{"-n", "3"}, nil,
			`^(\{"e":"trade".*\n){3}end: ws: closed by us: 1000 normal\n$`},
		{"feeds", "", []string{"-for", "1500ms"}, nil,
			`^btcusdt@trade +[1-9]\d* messages +\d+ bytes\nethusdt@bookTicker +[1-9].*\nxrpusdt@depth +[1-9].*\n$`},
		{"context", "", []string{"-for", "1500ms"}, nil,
			`^[1-9]\d* trades, last prices map\[BTCUSDT:\d+\.\d{8} ETHUSDT:\d+\.\d{8}\]\n$`},
		{"stream", "/ws/btcusdt@trade", nil, nil,
			`(?s)tape: \{"p":"1.0"\}\n.*live: \{"e":"trade".*tape: \{"p":"1.4"\}\n.*the tape is over\n`},
		{"shutdown", "", nil, func(p *program) { p.until("open"); p.until("open"); p.interrupt() },
			`(end: [a-z]+@trade: orderly true, phase closing, code 1000, 0 bytes unsent, after \d+ messages\n){2}the reactor has ended\n$`},
		{"direct", "/ws/btcusdt@trade", []string{"-n", "50"}, nil,
			`^GOMAXPROCS \d+ → 3, .*\n50 messages, age p50 \S+, p99 \S+, max \S+\n$`},
		{"timestamps", "/ws/btcusdt@trade", []string{"-n", "50"}, nil,
			`^wire to read +[1-9]\d* reads, p50 \S+, p99 \S+, max \S+\nwire to handler +[1-9].*\nas the reactor has it +[1-9].*\n$`},
		{"dispatch", "/echo", nil, nil,
			`^acknowledged: \{"order":1\}\nacknowledged: \{"order":2\}\nacknowledged: \{"order":3\}\nafter Deregister: reactor: handle is stale.*\n$`},
		{"placement", "", []string{"-for", "1500ms"}, nil,
			`^((warning|not pinned): .*\n)*btcusdt@trade on (cpu \d+|unbound): [1-9]\d* messages\nethusdt@trade on (cpu \d+|unbound): [1-9]\d* messages\n$`},
		{"poll", "/ws/btcusdt@trade", []string{"-n", "5"}, nil,
			`^\d+ messages in \d+ turns\n$`},
		{"events", "/ws/btcusdt@trade?fault=close&code=1012&after=5", nil, nil,
			`^up, connection 1\n(trade \d+ of BTCUSDT at [\d.]+\n){5}down: .*1012 service restart\nup, connection 2\n(trade .*\n){5}down: `},
		{"echo", "/echo", []string{"-n", "200", "-idle", "yield"}, nil,
			`^200 round trips: p50 \S+, p99 \S+, max \S+\n$`},
		{"metrics", "/ws/btcusdt@trade", []string{"-for", "1500ms", "-every", "200ms"}, nil,
			`(?s)^reactor +turns .*trades +messages +[1-9]\d* messages .*own +delay +n [1-9]\d*, p50 \d+, .* found work\n\n$`},
		{"counters", "/ws/btcusdt@trade", []string{"-for", "1500ms"}, nil,
			`(?s)^process +example +file_size .*reactor +feed +turns +[1-9].*endpoint +trades +messages +[1-9].*receive_to_handler +n [1-9]\d*, p50 [1-9].*$`},
		{"prometheus", "/ws/btcusdt@trade", []string{"-listen", "127.0.0.1:0", "-for", "1500ms"}, nil,
			`(?s)^http://127\.0\.0\.1:\d+/metrics\n.*boomnet_endpoint_messages_total\{process="example",pid="\d+",reactor="feed",endpoint="trades"\} [1-9].*boomnet_sizes_largest_bytes\{process="example",pid="\d+",name="example"\} [1-9]\d*\n$`},
		{"control", "/ws/btcusdt@trade", nil, nil,
			`^control: (uid \d+, pid \d+ \(control\)): idle reactor "md" strategy "park\(100µs\)"\n` +
				`(dropped by uid \d+, pid \d+ \(control\)\n|control: uid \d+, pid \d+ \(control\): drop endpoint "trades": 1 dropped\n){2}` +
				`control: uid \d+, pid \d+ \(control\): dump\ntrades on md \(park\(100µs\)\): open, lost 1×, last: open\n$`},
		{"reconnect", "/ws/btcusdt@trade?fault=rst&after=5", []string{"-attempts", "3"}, nil,
			`(?s)^  connection 1 resolving\n.*  lost .*loss 1, next try in .*loss 2, next try in .*given up\n$`},
		{"reconnect", "/ws?fault=refuse&code=403", nil, nil,
			`  lost upgrading: HTTP 403 Forbidden\ngiven up\n$`},
		{"renew", "/ws/btcusdt@trade", []string{"-ttl", "200ms", "-for", "2s"}, nil,
			`^[1-9]\d* trades, [1-9]\d* connections replaced, \d+ trades came twice, missing 0\n$`},
		{"heartbeat", "/ws/btcusdt@trade", []string{"-n", "3", "-pong-timeout", "20s", "-stale-after", "20s"}, nil,
			`^pong hello\n(round trip \S+\n){3,}$`},
		{"heartbeat", "/ws/btcusdt@trade?fault=stall", []string{"-pong-timeout", "100ms"}, nil,
			`^lost open: no pong within PongTimeout\n$`},
		{"heartbeat", "/echo", []string{"-pong-timeout", "20s", "-stale-after", "200ms"}, nil,
			`lost open: no data within StaleAfter\n$`},
		{"timers", "/ws", []string{"-n", "2", "-every", "20ms", "-within", "20s"}, nil,
			`^(answered after \S+: \{"result":\[\],"id":1\}\n){2,}$`},
		{"timers", "/ws?fault=stall", []string{"-every", "10ms", "-within", "100ms"}, nil,
			`^endpoint: connection 1 ended by its endpoint: heartbeat not answered within 100ms\n$`},
		{"reactors", "", []string{"-n", "20"}, nil,
			`^20 orders acknowledged, \d+ refused, prices dropped: \d+\n$`},
		{"actors", "", []string{"-n", "50"}, nil,
			`^(not pinned: .*\n)?\d+ trades, 50 orders acknowledged, \d+ refused, 0 too many\ntrade to order: .*\n(\w+ → \w+: [1-9]\d* sent, [1-9]\d* handled, \d+ refused, 0 dropped\n){3}btcusdt: 0 missed, 0 no trades\nethusdt: 0 missed, 0 no trades\n$`},
		{"actors", "", []string{"-n", "50", "-wake", "-idle", "park(10ms)"}, nil,
			`\n\d+ trades, 50 orders acknowledged, \d+ refused, 0 too many\n|^\d+ trades, 50 orders acknowledged, \d+ refused, 0 too many\n`},
		{"fanin", "", []string{"-for", "1500ms"}, nil,
			`^(\w+ is read by feed-[ab]\n){5}(\w+ [1-9]\d* quotes, ){5}0 gaps\n(main.Quote to book: [1-9]\d* handled of [1-9]\d*, at most [1-9]\d* waiting, 0 refused\n){2}main.Ask to book: 1 handled of 1, at most 1 waiting, 0 refused\n$`},
		{"request", "/ws/btcusdt@trade", []string{"-n", "50", "-limit", "20", "-within", "20s"}, nil,
			`^50 requests: 20 allowed, 30 refused, 0 answered too late; an answer took p50 \S+, p99 \S+\n$`},
		{"gateway", "/echo", []string{"-n", "25"}, nil,
			`^25 orders: 25 acknowledged, 0 unknown; refused and tried again [1-9]\d* times\n$`},
		{"gateway", "/echo?fault=rst&after=8", []string{"-n", "25"}, nil,
			`(?m)^25 orders: \d+ acknowledged, \d+ unknown; refused and tried again [1-9]\d* times\n$`},
		{"prepared", "/echo", []string{"-n", "200"}, nil,
			`^\{"op":"ping"\}\n\{"order":2,.*\n\{"order":3,.*\n200 messages, \d+ allocations\n$`},
		{"backpressure", "/echo", nil, nil,
			`^stream: message larger .*\n1000 messages sent, 1000 came back; the queue was full [1-9]\d* times and never longer than \d{5} bytes\n$`},
		{"compression", "/ws/btcusdt@depth", []string{"-for", "1500ms"}, nil,
			`^plain +[1-9].*: 10\d %\ntakeover +[1-9].*: +\d\d %\neach alone +[1-9].*: +\d\d %\n$`},
		{"capture", "/ws/btcusdt@trade", []string{"-n", "20", "-bytes", "4096"}, nil,
			`^\S+/feed.pcapng: [2-9] files, \d+ records, 0 lost\nrecorded \d\d messages .* by us: 1000 normal\nreplayed \d\d messages .* by us: 1000 normal\nthe same: true\n$`},
	} {
		for _, secure := range []bool{false, true} {
			name := c.name
			args := append([]string{"-url", plain + c.path}, c.args...)
			if secure {
				name += " over TLS"
				args = append([]string{"-url", secured + c.path, "-cacert", ca}, c.args...)
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := run(t, filepath.Join(bin, c.name), args...)
				if c.during != nil {
					c.during(p)
				}
				require.Regexp(t, c.want, p.end())
			})
		}
	}
	for name, test := range map[string]func(t *testing.T, bin string){
		"kinds": testKinds, "dns": testDNS, "http": testHTTP, "auth": testAuth, "tls": testTLS, "mtls": testMutualTLS, "proxy": testProxy, "capture that was cut": testCutCapture, "bad flags": testFlags,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, bin)
		})
	}
}

// testKinds plays the server of the line protocol.
func testKinds(t *testing.T, bin string) {
	url, _ := startExchange(t, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(limit)))
	p := run(t, filepath.Join(bin, "kinds"), "-url", url+"/ws/btcusdt@trade", "-line", "tcp://"+l.Addr().String())
	c, err := l.Accept()
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(limit)))
	in := bufio.NewReader(c)
	for range 3 {
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		require.Regexp(t, `^price \d+\.\d{8}\n$`, line)
	}
	_, err = c.Write([]byte("hel"))
	require.NoError(t, err)
	_, err = c.Write([]byte("lo\r\nquit\n"))
	require.NoError(t, err)
	require.Equal(t, "line: hello\nline: quit\n", p.end())
}

// testFlags gives flags that are none.
func testFlags(t *testing.T, bin string) {
	require.Contains(t, run(t, filepath.Join(bin, "single"), "-cacert", "/nowhere.pem").fails(), "/nowhere.pem: no such file")
	require.Contains(t, run(t, filepath.Join(bin, "echo"), "-idle", "soundly").fails(), `unknown strategy "soundly"`)
	require.Contains(t, run(t, filepath.Join(bin, "dns"), "-pin", "name").fails(), "unable to parse IP")
}
