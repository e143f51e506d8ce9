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
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", what).CombinedOutput()
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
	for p.out.Scan() {
		p.said.WriteString(p.out.Text() + "\n")
	}
	require.NoError(p.t, p.cmd.Wait(), "%s%s", p.said.String(), p.stderr.String())
	return p.said.String()
}

func TestExamples(t *testing.T) {
	bin := build(t, "./...")
	for _, c := range []struct {
		name   string
		path   string // added to the exchange's URL
		args   []string
		during func(*program) // before its end is waited for
		want   string         // a regular expression; (?s) lets . match newlines
	}{
		{"single", "/ws/btcusdt@trade", []string{"-n", "3"}, nil,
			`^(\{"e":"trade".*\n){3}end: ws: closed by us: 1000 normal\n$`},
		{"feeds", "", []string{"-for", "500ms"}, nil,
			`^btcusdt@trade +[1-9]\d* messages +\d+ bytes\nethusdt@bookTicker +[1-9].*\nxrpusdt@depth +[1-9].*\n$`},
		{"context", "", []string{"-for", "500ms"}, nil,
			`^[1-9]\d* trades, last prices map\[BTCUSDT:\d+\.\d{8} ETHUSDT:\d+\.\d{8}\]\n$`},
		{"stream", "/ws/btcusdt@trade", nil, nil,
			`(?s)tape: \{"p":"1.0"\}\n.*live: \{"e":"trade".*tape: \{"p":"1.4"\}\n.*the tape is over\n`},
		{"shutdown", "", nil, func(p *program) { p.until("open"); p.until("open"); p.interrupt() },
			`(end: [a-z]+@trade: orderly true, phase closing, code 1000, 0 bytes unsent, after \d+ messages\n){2}the reactor has ended\n$`},
		{"direct", "/ws/btcusdt@trade", []string{"-n", "50"}, nil,
			`^GOMAXPROCS \d+ → 3, .*\n50 messages, age p50 \S+, p99 \S+, max \S+\n$`},
		{"dispatch", "/echo", nil, nil,
			`^acknowledged: \{"order":1\}\nacknowledged: \{"order":2\}\nacknowledged: \{"order":3\}\nafter Deregister: reactor: handle is stale.*\n$`},
		{"placement", "", []string{"-for", "500ms"}, nil,
			`^((warning|not pinned): .*\n)*btcusdt@trade on (cpu \d+|unbound): [1-9]\d* messages\nethusdt@trade on (cpu \d+|unbound): [1-9]\d* messages\n$`},
		{"poll", "/ws/btcusdt@trade", []string{"-n", "5"}, nil,
			`^\d+ messages in \d+ turns\n$`},
	} {
		for _, secure := range []bool{false, true} {
			name := c.name
			if secure {
				name += " over TLS"
			}
			t.Run(name, func(t *testing.T) {
				url, ca := startExchange(t, secure)
				args := append([]string{"-url", url + c.path}, c.args...)
				if secure {
					args = append(args, "-cacert", ca)
				}
				p := run(t, filepath.Join(bin, c.name), args...)
				if c.during != nil {
					c.during(p)
				}
				require.Regexp(t, c.want, p.end())
			})
		}
	}
	t.Run("kinds", func(t *testing.T) { testKinds(t, filepath.Join(bin, "kinds")) })
}

// testKinds plays the server of the line protocol.
func testKinds(t *testing.T, file string) {
	url, _ := startExchange(t, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(limit)))
	p := run(t, file, "-url", url+"/ws/btcusdt@trade", "-line", "tcp://"+l.Addr().String())
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

func TestAnExampleSaysWhatIsWrong(t *testing.T) {
	bin := build(t, "./single")
	url, _ := startExchange(t, true)
	out, err := exec.Command(filepath.Join(bin, "single"), "-url", url+"/ws/btcusdt@trade").CombinedOutput()
	require.Error(t, err, "nobody trusts that certificate")
	require.Contains(t, string(out), "certificate signed by unknown authority")
	out, err = exec.Command(filepath.Join(bin, "single"), "-cacert", "/nowhere.pem").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "/nowhere.pem: no such file")
}
