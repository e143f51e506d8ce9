package packets

import (
	"errors"
	"io"

	"github.com/boomnet-go/boomnet/capture/pcapng"
)

// Passed counts packets of a file that carry no TCP, or none that can be read.
type Passed struct {
	Packets   int64 // of the file
	Other     int64 // not TCP
	Fragments int64
	Malformed int64
	Links     int64 // of links that are not known
	Err       error // the first that was malformed or of an unknown link
}

// Read reads a pcapng or pcap file to its end and gives the TCP segments in it to a, then
// flushes it. Secrets in the file (a TLS key log) are given to keys, unless that is nil.
// An error is the reader's, see pcapng.Error; a is flushed all the same.
func Read(r io.Reader, a *Assembler, keys *KeyLog) (Passed, error) {
	var passed Passed
	defer a.Flush()
	in, err := pcapng.NewReader(r)
	if err != nil {
		return passed, err
	}
	for {
		b, err := in.Next()
		switch {
		case err == io.EOF:
			return passed, nil
		case errors.Is(err, pcapng.ErrBlock):
			passed.malformed(err)
			continue
		case err != nil:
			return passed, err
		case b.Secrets != nil && b.Secrets.Type == pcapng.SecretsTLS && keys != nil:
			if err := keys.Add(b.Secrets.Data); err != nil {
				return passed, err
			}
		case b.Packet != nil:
			passed.add(in, a, b.Packet)
		}
	}
}

func (n *Passed) malformed(err error) {
	n.Malformed++
	if n.Err == nil {
		n.Err = err
	}
}

func (n *Passed) add(in *pcapng.Reader, a *Assembler, packet *pcapng.Packet) {
	n.Packets++
	i, ok := in.Interface(packet.Interface)
	if !ok {
		n.malformed(errors.New("packets: a packet of an interface that the file does not have"))
		return
	}
	p, err := Decode(i.LinkType, packet.Data)
	switch {
	case err == nil:
		a.Add(packet.Time, &p)
	case errors.Is(err, ErrNotTCP):
		n.Other++
	case errors.Is(err, ErrFragment):
		n.Fragments++
	case errors.Is(err, ErrLink):
		n.Links++
		if n.Err == nil {
			n.Err = err
		}
	default:
		n.malformed(err)
	}
}
