package packets

import "crypto/sha256"

// A resumed session of TLS 1.2 has the master secret of the one that it resumes, and
// programs, those of crypto/tls among them, write no line for it. So a key log
// remembers by the ticket which connection it was given in.

// learn remembers for a ticket what its connection is looked up by. Above the bound
// of a key log it does not.
func (k *KeyLog) learn(ticket []byte, random [32]byte) {
	if k == nil || len(ticket) == 0 || len(k.tickets) >= MaxKeyLogSessions {
		return
	}
	if k.tickets == nil {
		k.tickets = make(map[[32]byte][32]byte)
	}
	k.tickets[sha256.Sum256(ticket)] = random
}

// resume sets what the master secret is looked up by, if the ClientHello has a ticket.
func (o *Opener) resume(ticket []byte) {
	o.master = o.facts.Random
	if o.keys == nil || len(ticket) == 0 {
		return
	}
	if random, ok := o.keys.tickets[sha256.Sum256(ticket)]; ok {
		o.master = random
	}
}
