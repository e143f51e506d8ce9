// Package packets makes streams of bytes of the packets that tcpdump and its like have
// captured, so that they can be looked at, and replayed, like recordings of our own.
//
//	packets ── Decode ──► TCP segments ── Assembler ──► chunks of a direction ── Opener ──► plaintext
//	  Read does all that for a file             gaps are told                  with a key log
//
// What a capture does not have is told, never made up: a segment that was not captured,
// a packet that was cut by the snap length, a connection that stood when the capture
// began. Reads are not in a capture either: a chunk is what one packet made known.
//
// Everything is bounded, but for some hundred bytes that each connection of a file takes:
// bytes that wait for those before them, TLS records under way, key logs. The package works on files of others and believes nothing in them.
package packets
