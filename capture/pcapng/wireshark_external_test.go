//go:build external

package pcapng

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests have what is written read by programs that others have written, and
// the other way round: tshark, capinfos, editcap, mergecap and text2pcap, Debian
// package tshark, which brings in wireshark-common.

// idle is what they say without a complaint: to root, and text2pcap between files.
var idle = regexp.MustCompile(`(?m)^(Running as user "root".*|-+)\n`)

// run returns what a program prints. Anything on its standard error is a complaint.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(t, err, "%s must be installed", program)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "HOME="+t.TempDir())
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(t, cmd.Run(), "%s: %s", cmd, complaints.String())
	require.Empty(t, strings.TrimSpace(idle.ReplaceAllString(complaints.String(), "")), "%s", cmd)
	return out.String()
}

// save writes a file of that name into a directory of its own.
func save(t *testing.T, name string, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, file, 0o600))
	return path
}

// load reads the blocks of a file, those of a kind, and calls do for each.
func load(t *testing.T, path string, kind Kind, do func(*Reader, Block)) (n int) {
	t.Helper()
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	r := open(t, file)
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		require.NoError(t, err)
		if b.Kind == kind {
			n++
			do(r, b)
		}
	}
}

// fields asks tshark for some fields of every packet.
func fields(t *testing.T, path string, names ...string) []string {
	t.Helper()
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "separator=|"}
	for _, name := range names {
		args = append(args, "-e", name)
	}
	return strings.Split(strings.TrimSuffix(run(t, "tshark", args...), "\n"), "\n")
}

// seen is what fields(frame.time_epoch, frame.cap_len, frame.len) should be by what
// this package reads.
func seen(t *testing.T, path string) (lines []string) {
	t.Helper()
	load(t, path, KindPacket, func(_ *Reader, b Block) {
		p := b.Packet
		lines = append(lines, fmt.Sprintf("%d.%09d|%d|%d", p.Time/second, p.Time%second, len(p.Data), p.Length))
	})
	return lines
}

func TestExternalTsharkReadsEveryKind(t *testing.T) {
	path := save(t, "all.pcapng", appendAll(appendAll(nil)))
	got := fields(t, path, "frame.time_epoch", "frame.cap_len", "frame.len", "frame.interface_name", "frame.packet_flags_direction",
		"frame.drop_count", "frame.comment", "ip.src")
	one := []string{
		"1790000000.123456789|29|29|md|0x00000001|3|größer als nötig|192.0.2.1",
		"0.000000000|0|0|eth0||||",
		"|4|4|||||", // a custom block is a line in the list of packets, without a time
		"|8|8|||||",
	}
	require.Equal(t, append(one, one...), got)

	packets := slices.DeleteFunc(fields(t, path, "frame.time_epoch", "frame.cap_len", "frame.len"),
		func(line string) bool { return strings.HasPrefix(line, "|") })
	require.Equal(t, packets, seen(t, path))
}

// Wireshark has a second reader of the format, one that shows the file itself, block
// by block. It complains about anything that is not as it should be.
func TestExternalTsharkDissectsTheFile(t *testing.T) {
	path := save(t, "all.pcapng", appendAll(nil))
	args := []string{"-X", "read_format:MIME Files Format", "-r", path}
	complaints := []string{"-Y", "_ws.malformed || _ws.expert.severity >= 0x600000"}
	require.Empty(t, run(t, "tshark", append(args, complaints...)...))
	out := run(t, "tshark", append(args, "-V")...)
	var blocks []string
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(line, "    Block: "); ok {
			blocks = append(blocks, strings.TrimSpace(name))
		}
	}
	require.Len(t, blocks, 11, out)
	for i, want := range []string{ // older ones do not know custom blocks
		"Section Header Block", "Interface Description Block", "Interface Description Block", "Decryption Secrets Block",
		"Name Resolution Block", "Enhanced Packet Block", "Enhanced Packet Block", "", "", "", "Interface Statistics Block"} {
		require.Contains(t, blocks[i], want)
	}
	for _, want := range []string{"User Application: boomnet", "Name: feed.venue.test", "Name: a.venue.test", "Secrets Type: TLS Key Log", "Secrets Length: 20"} {
		require.Contains(t, out, want)
	}

	// It does complain when there is something to complain about.
	broken := goldenBytes(t)
	broken[40] = 48 // the length at the end of the section header
	args[3] = save(t, "broken.pcapng", broken)
	require.NotEmpty(t, run(t, "tshark", append(args, complaints...)...))
}

func TestExternalCapinfos(t *testing.T) {
	out := run(t, "capinfos", save(t, "all.pcapng", appendAll(nil)))
	for _, want := range []string{
		`File type: +Wireshark/\.\.\. - pcapng`,
		`File timestamp precision: +nanoseconds \(9\)`,
		`Number of packets: +2`,
		`Capture hardware: +a computer`,
		`Capture oper-sys: +an OS`,
		`Capture application: +boomnet`,
		`Capture comment: +größer als nötig`,
		`Number of interfaces in file: 2`,
		`Name = md`,
		`Description = market data`,
		`Encapsulation = Raw IP`,
		`Speed = 10000000000`,
		`Capture length = 65535`,
		`Time resolution = 0x09`,
		`Number of stat entries = 1`,
		`Number of resolved IPv4 addresses in file: 2`,
		`Number of resolved IPv6 addresses in file: 1`,
		`Number of decryption secrets in file: 1`,
	} {
		require.Regexp(t, want, out)
	}
}

// What other programs make of it reads the same: classic pcap with microseconds and
// nanoseconds, and pcapng written anew.
func TestExternalEditcapConverts(t *testing.T) {
	head := AppendInterface(AppendSection(nil, &Section{}), &Interface{LinkType: LinkRaw, SnapLen: 65_535})
	for i := range 5 {
		head = AppendPacket(head, &Packet{Time: 1_790_000_000_123_456_789 + int64(i)*1_000_000_001, Length: 40, Data: ping[:20+i], Options: []Option{
			Comment("packet"), Custom(pen, []byte("boom"))}})
	}
	path := save(t, "in.pcapng", head)
	want := seen(t, path)
	for _, c := range []struct{ arg, format string }{
		{"pcap", "pcap"}, {"nsecpcap", "pcap (nanoseconds)"}, {"pcapng", "pcapng"},
	} {
		t.Run(c.arg, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "out")
			run(t, "editcap", "-F", c.arg, path, to)
			file, err := os.ReadFile(to)
			require.NoError(t, err)
			require.Equal(t, c.format, open(t, file).Format())
			want := want
			if c.arg == "pcap" {
				want = nil
				for i := range 5 {
					want = append(want, fmt.Sprintf("%d.123456000|%d|40", 1_790_000_000+i, 20+i))
				}
			}
			require.Equal(t, want, seen(t, to))
			require.Equal(t, 5, load(t, to, KindPacket, func(r *Reader, b Block) {
				i, ok := r.Interface(b.Packet.Interface)
				require.True(t, ok)
				require.Equal(t, LinkRaw, i.LinkType)
				if c.arg == "pcapng" { // which keeps comments and custom options
					o, ok := Find(b.Packet.Options, OptComment)
					require.True(t, ok)
					require.Equal(t, "packet", o.Text())
					o, ok = Find(b.Packet.Options, OptCustom)
					require.True(t, ok)
					data, ok := CustomData(o, pen)
					require.True(t, ok)
					require.Equal(t, "boom", string(data))
				}
			}))
		})
	}
}

// A file that was opened and saved again has the custom blocks that say so, where
// they were.
func TestExternalCustomBlocksAreCopied(t *testing.T) {
	file := AppendInterface(AppendSection(nil, &Section{}), &Interface{LinkType: LinkRaw})
	for i := range byte(3) {
		file = AppendPacket(file, &Packet{Time: 1_790_000_000_000_000_000, Data: ping})
		file = AppendCustom(file, &CustomBlock{PEN: pen, Data: []byte{'c', i, 0, 0}, Copy: true})
		file = AppendCustom(file, &CustomBlock{PEN: pen, Data: []byte{'d', i, 0, 0}})
	}
	path, to := save(t, "in.pcapng", file), filepath.Join(t.TempDir(), "out.pcapng")
	run(t, "tshark", "-r", path, "-w", to)
	require.Equal(t, 3, load(t, to, KindPacket, func(*Reader, Block) {}))
	i := byte(0)
	require.Equal(t, 3, load(t, to, KindCustom, func(_ *Reader, b Block) {
		require.Equal(t, &CustomBlock{PEN: pen, Data: []byte{'c', i, 0, 0}, Copy: true}, b.Custom)
		i++
	}))
}

// The secrets are the text that was put in.
func TestExternalSecrets(t *testing.T) {
	const keys = "CLIENT_RANDOM 0000000000000000000000000000000000000000000000000000000000000000 " +
		"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\n"
	in := save(t, "in.pcapng", AppendPacket(AppendInterface(AppendSection(nil, &Section{}), &Interface{LinkType: LinkRaw}), &Packet{Data: ping}))
	to := filepath.Join(t.TempDir(), "out.pcapng")
	run(t, "editcap", "--inject-secrets", "tls,"+save(t, "keys", []byte(keys)), in, to)
	require.Equal(t, 1, load(t, to, KindSecrets, func(_ *Reader, b Block) {
		require.Equal(t, SecretsTLS, b.Secrets.Type)
		require.Equal(t, keys, string(b.Secrets.Data))
	}))
}

// Files of other programs: text2pcap and mergecap.
func TestExternalOthersFiles(t *testing.T) {
	text := save(t, "text", []byte("000000 02 00 00 00 00 01 02 00 00 00 00 02 88 b5 01\n000000 02 00 00 00 00 01 02 00 00 00 00 02 88 b5 02 03\n"))
	dir := t.TempDir()
	one, two, both := filepath.Join(dir, "1"), filepath.Join(dir, "2"), filepath.Join(dir, "3")
	run(t, "text2pcap", "-q", text, one)
	run(t, "text2pcap", "-q", "-F", "nsecpcap", text, two)
	run(t, "mergecap", "-a", "-w", both, one, two)
	for path, n := range map[string]int{one: 2, two: 2, both: 4} {
		got := seen(t, path)
		require.Len(t, got, n)
		require.Equal(t, fields(t, path, "frame.time_epoch", "frame.cap_len", "frame.len"), got)
	}
}

// The two agree about what is seldom: byte orders, units of time, offsets, obsolete
// and simple packet blocks.
func TestExternalTsharkReadsTheSame(t *testing.T) {
	for name, h := range orders {
		t.Run(name, func(t *testing.T) {
			file := h.section()
			units := []uint8{0, 3, 6, 9, 0x80 | 10, 0x80 | 20}
			for n, unit := range units {
				if n == 0 {
					continue // the first has no option: microseconds
				}
				file = append(file, h.iface(LinkRaw, 0, h.option(OptIfTSResol, unit), h.option(OptIfTSOffset, int64(n)))...)
			}
			file = append(file, h.epb(0, 1_790_000_000_123, string(ping))...)
			file = append(file, h.epb(1, 1_790_000_000_123_456, string(ping))...)
			file = append(file, h.epb(2, 1_790_000_000_123_456_789, string(ping))...)
			file = append(file, h.epb(3, 1_790_000_000<<10|512, string(ping))...)
			file = append(file, h.epb(4, 1_790_000_000<<20|1<<19, string(ping))...)
			const us = 1_790_000_000_123
			file = append(file, h.block(TypePacket, uint16(0), uint16(0), uint32(us>>32), uint32(us&0xffffffff), uint32(len(ping)), uint32(40), ping)...)
			path := save(t, "in.pcapng", file)
			require.Equal(t, fields(t, path, "frame.time_epoch", "frame.cap_len", "frame.len"), seen(t, path))

			simple := save(t, "simple.pcapng", h.cat(h.section(), h.iface(LinkRaw, 24), h.block(TypeSimplePacket, uint32(29), ping[:24])))
			require.Equal(t, fields(t, simple, "frame.cap_len", "frame.len"), []string{"24|29"})
			require.Equal(t, seen(t, simple), []string{"0.000000000|24|29"})
		})
	}
}
