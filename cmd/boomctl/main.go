// Command boomctl is the tool beside the library: it runs a simulated exchange to
// develop and test against, and talks to WebSockets from the command line.
//
//	boomctl demo
//	boomctl exchange --help
//	boomctl connect --help
//
// Each command is a struct in a file of its own, named after it; its fields are
// its flags, and its method Run does the work.
package main

import (
	"errors"
	"os"

	"github.com/alecthomas/kong"
)

// cli is the command line: one field for each command.
type cli struct {
	Demo     demoCmd     `cmd:"" help:"Show it all at work: a reactor, three endpoints and a simulated exchange that misbehaves."`
	Exchange exchangeCmd `cmd:"" help:"Run a simulated exchange."`
	Connect  connectCmd  `cmd:"" help:"Connect to a WebSocket: messages to standard output, lines of standard input to the peer."`
	Resolve  resolveCmd  `cmd:"" help:"Find the addresses of a host: TTL, server, time."`
}

func main() {
	parser := kong.Must(new(cli),
		kong.Name("boomctl"),
		kong.Description("Tools for boomnet, the low-latency network client runtime."),
		kong.UsageOnError(),
		kong.Exit(exit),
	)
	ctx, err := parser.Parse(os.Args[1:])
	if err != nil {
		parser.Stdout = os.Stderr // the usage shown after a mistake is not output
	}
	parser.FatalIfErrorf(err)
	err = ctx.Run()
	if status, ok := errors.AsType[exitStatus](err); ok {
		os.Exit(int(status)) // the command has said why
	}
	parser.FatalIfErrorf(err)
}

// exit ends the process with 2 where kong would take 80 for a wrong command line.
func exit(status int) {
	const kongUsage = 80
	if status == kongUsage {
		status = exitUsage
	}
	os.Exit(status)
}
