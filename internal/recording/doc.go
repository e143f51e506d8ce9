// Package recording looks into recordings of reactors (packages capture and
// capture/tape): what messages they hold, what happened in them, how fast. It is what
// is behind boomctl capture.
//
//	tape.Recording ──→ Records ──→ decoder ──→ Messages    each message, both directions
//	                     │            └──────→ Stats       rates, gaps, latencies
//	                     └─────────────────→ Summary       connections, losses, whether it replays
//
// A recording has bytes. The decoder finds messages in them: the upgrade, WebSocket
// frames and their fragments, permessage-deflate. Of a connection that speaks something
// else each read and write is a message. Nothing of what a file says is believed:
// lengths are checked, memory is bounded, and what cannot be decoded is said with the
// connection, once.
package recording
