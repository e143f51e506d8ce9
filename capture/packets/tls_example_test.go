package packets_test

import (
	"fmt"
	"log"
	"os"

	"github.com/boomnet-go/boomnet/capture/packets"
)

// What a connection said, by the key log of the process that made it: SSLKEYLOGFILE,
// or KeyLogWriter of crypto/tls.
func ExampleOpener() {
	f, err := os.Open("testdata/tls13.keys")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	keys, err := packets.ParseKeyLog(f)
	if err != nil {
		log.Fatal(err)
	}
	o := packets.NewOpener(keys, func(p *packets.Plain) {
		if len(p.Data) > 0 {
			fmt.Printf("client %t: %s\n", p.FromClient, p.Data)
		}
	})
	script, err := os.ReadFile("testdata/tls13.script")
	if err != nil {
		log.Fatal(err)
	}
	for len(script) > 0 { // who, how long, what
		fromClient, n := script[0] == 1, int(script[1])<<8|int(script[2])
		if err := o.Add(fromClient, 0, script[3:3+n]); err != nil {
			log.Fatal(err)
		}
		script = script[3+n:]
	}
	fmt.Println(o.Facts().ServerName, o.Facts().ALPN)
	// Output:
	// client true: hello
	// client false: world
	// feed.example http/1.1
}
