package capture

import (
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// flow is a connection as packets tell of it: a TCP connection whose segments carry
// what its stream carried. Above TLS this never was on a network.
//
//	       Dialed                     Lost, Close
//	none ─────────► stands ─────────────────────────► over
//	  │   SYN, SYN-ACK, ACK    data, ACK    FIN both ways, or RST
//	  └── bytes without a Dialed: it stands, with addresses that are made up
type flow struct {
	num  uint32
	name string // of the endpoint

	connect, dialed *tape.Record // copies, to be restated in the next file; nil: none
	announced       bool         // they are in this file

	target        string
	resolved      string
	peer          tape.Peer
	local, remote netip.AddrPort // in packets
	port          uint16         // the remote's real one
	made          bool           // the addresses are made up
	stands, over  bool

	out, in         uint32 // the next sequence numbers: of what is sent, of what is received
	outOpen, inOpen unacked
	finOut, finIn   bool
	reset           bool // an error of the system was seen

	upgradeOut, upgradeIn []byte // what the set-up wrote and read, up to maxUpgrade
	keys                  bool   // its handshake has begun, below TLS
	hold                  uint64 // of the encoder, while its secrets are awaited
}

// unacked is what no packet of the other side has acknowledged.
type unacked struct {
	packets int
	bytes   int
}

// Between two acknowledgements there are at most so many packets or bytes, so that a
// tool which keeps what is not acknowledged keeps little.
const (
	ackPackets = 64
	ackBytes   = 1 << 20
)

// maxUpgrade is how much of a set-up is kept each way, to be restated.
const maxUpgrade = 16 << 10

// Where there are no addresses: those of RFC 5737, which are nobody's.
var (
	madeLocal  = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	madeRemote = netip.AddrFrom4([4]byte{198, 51, 100, 1})
)

const (
	httpPort      = 80
	firstMadePort = 10_000
)

// open lets the flow stand, as its Dialed says, or with addresses that are made up.
func (f *flow) open(dialed *tape.Record) {
	f.peer, f.target = tape.Peer{}, ""
	if dialed != nil {
		f.target = string(dialed.Text)
		_ = json.Unmarshal(dialed.Data, &f.peer) // what cannot be read is not known
	}
	f.local, f.remote = f.peer.Local, f.peer.Remote
	if f.made = !f.local.IsValid() || !f.remote.IsValid(); f.made {
		f.local = netip.AddrPortFrom(madeLocal, uint16(firstMadePort+f.num%50_000))
		f.remote = netip.AddrPortFrom(madeRemote, portOf(f.target))
	}
	local, remote := plainAddr(f.local.Addr()), plainAddr(f.remote.Addr())
	if local.Is4() != remote.Is4() {
		local, remote = netip.AddrFrom16(local.As16()), netip.AddrFrom16(remote.As16())
	}
	f.port = f.remote.Port()
	port := f.port
	if f.peer.Layer == tape.AboveTLS {
		port = httpPort
	}
	f.local, f.remote = netip.AddrPortFrom(local, f.local.Port()), netip.AddrPortFrom(remote, port)
	f.out, f.in = f.num*0x9e3779b1, f.num*0x85ebca6b // any number will do
	f.outOpen, f.inOpen = unacked{}, unacked{}
	f.stands, f.over, f.finOut, f.finIn, f.reset, f.keys = true, false, false, false, false, false
	f.upgradeOut, f.upgradeIn = nil, nil
}

// plainAddr is a without a zone, and IPv4 where it is that in IPv6's dress.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// portOf is the port of a target such as "tcp://host:9000", 80 if it says none.
func portOf(target string) uint16 {
	if i := strings.LastIndexByte(target, ':'); i >= 0 {
		var port uint64
		for _, c := range []byte(target[i+1:]) {
			if c < '0' || c > '9' || port > 65_535 {
				return httpPort
			}
			port = port*10 + uint64(c-'0')
		}
		if port > 0 && port <= 65_535 {
			return uint16(port)
		}
	}
	return httpPort
}

// keepUpgrade keeps what the set-up carries, up to the end of an HTTP head.
func (f *flow) keepUpgrade(out bool, data []byte) {
	kept := &f.upgradeIn
	if out {
		kept = &f.upgradeOut
	}
	if n := maxUpgrade - len(*kept); len(data) > n {
		data = data[:n]
	}
	*kept = append(*kept, data...)
}

// keep is a copy of r that owns its bytes.
func keep(r *tape.Record) *tape.Record {
	var m tape.Memory
	m.Keep(r)
	return &m[0]
}
