// Package capture keeps recordings of reactors in files: what package tape records,
// as pcapng, which Wireshark, tshark and capinfos open.
//
//	rec, err := capture.Create("feed.pcapng", capture.Options{MaxBytes: 1 << 30, MaxFiles: 10})
//	…
//	r, err := reactor.New(reactor.Config{Tape: rec.Tape()})
//	…
//	err = rec.Close() // after the reactor
//
// A [Recorder] writes on a goroutine of its own; a disk that is slow, full or broken
// never delays the reactor. [Open] reads files back, record by record, as they were;
// [Repair] makes whole what a dead process has left, [Cut] takes a part out, and
// [Reproduce] makes a test of a recording.
//
// # What is in a file
//
// Bytes are packets. For each connection IP and TCP are made up around what its stream
// carried: SYN, SYN-ACK and ACK when it was dialed, data with right sequence numbers and
// checksums, FIN or RST at its end. They are stream calls, not segments: a read
// of 64 KiB is one packet, and nothing is ever sent twice. What was recorded above TLS
// has port 80 instead of its own, so that tools dissect HTTP and WebSocket in it;
// the real port is in a comment. Bytes that are missing leave a hole in the
// sequence numbers. Comments tell people about connections, their states, losses
// and writes that were refused.
//
// The records themselves are in custom options of the packets, where a packet is the
// record's, and in custom blocks (mark.go has the layout). Data are not there
// twice: those of a read or write are the packets' payload, TLS secrets are in a
// decryption secrets block.
//
// # Times
//
// Records have the time of the recorder's clock, by which a replay goes. Packets have
// the wall's: that time plus the distance between both clocks. The distance is measured each
// second. NTP slews both clocks alike, so it changes only when the wall clock is
// set: forward, and the packets after that have the new time; back, and they keep the
// old one until the next file begins, because times within a file never go back. A
// comment on the next packet says so.
//
// # Several files
//
// A rotation is feed.pcapng, feed-000002.pcapng, and so on. Each opens alone: it begins
// with what stands at that moment, restated: the begin of the recording, endpoints,
// connections with their handshakes and upgrades. Who opens all of them, by [Parts],
// does not see restated records.
//
// # When the disk does not take it
//
// What could not be written is tried again each second. What is recorded meanwhile is
// dropped and counted; when there is room again the loss is written in its place, for
// each connection, and what began meanwhile is restated. A file never ends in half a
// block because of an error; when the process is killed it may, and then it opens up to
// the last whole block.
package capture
