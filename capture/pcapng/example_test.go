package pcapng_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/boomnet-go/boomnet/capture/pcapng"
)

// A file with one packet and a comment on it, as Wireshark opens it, written and
// read back.
func Example() {
	var file []byte
	file = pcapng.AppendSection(file, &pcapng.Section{Options: []pcapng.Option{pcapng.Text(pcapng.OptUserAppl, "example")}})
	file = pcapng.AppendInterface(file, &pcapng.Interface{LinkType: pcapng.LinkRaw, Name: "md"})
	file = pcapng.AppendPacket(file, &pcapng.Packet{
		Interface: 0, // the first of the section
		Time:      time.Date(2026, 9, 21, 9, 31, 7, 123_456_789, time.UTC).UnixNano(),
		Data:      []byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2},
		Options:   []pcapng.Option{pcapng.Comment("the gap begins")},
	})

	r, err := pcapng.NewReader(bytes.NewReader(file))
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(b.Offset, " ", b.Kind)
		if p := b.Packet; p != nil {
			i, _ := r.Interface(p.Interface)
			fmt.Print(" on ", i.Name, ", ", len(p.Data), " bytes, ", time.Unix(0, p.Time).UTC().Format(time.RFC3339Nano))
			if o, ok := pcapng.Find(p.Options, pcapng.OptComment); ok {
				fmt.Print(": ", o.Text())
			}
		}
		fmt.Println()
	}
	// Output:
	// 0 section
	// 44 interface
	// 84 packet on md, 20 bytes, 2026-09-21T09:31:07.123456789Z: the gap begins
}

// A file whose writer died is whole again when it is cut where the last whole block
// ends.
func ExampleReader_Whole() {
	var file []byte
	file = pcapng.AppendSection(file, &pcapng.Section{})
	file = pcapng.AppendInterface(file, &pcapng.Interface{LinkType: pcapng.LinkRaw})
	file = pcapng.AppendPacket(file, &pcapng.Packet{Data: make([]byte, 100)})
	file = file[:150]

	r, err := pcapng.NewReader(bytes.NewReader(file))
	for err == nil {
		_, err = r.Next()
	}
	fmt.Println(err)
	if errors.Is(err, pcapng.ErrTruncated) {
		fmt.Println("cut the file at", r.Whole())
	}
	// Output:
	// pcapng: truncated: at byte 60: enhanced packet: the input ends after 90 of 132 bytes; whole up to byte 60
	// cut the file at 60
}
