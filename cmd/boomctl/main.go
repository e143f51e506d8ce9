// Command boomctl is the tool beside the library: it runs a simulated exchange to
// develop and test against, talks to WebSockets from the command line, and shows
// what the machine has for reactors to run on.
//
//	boomctl demo
//	boomctl exchange --help
//	boomctl connect --help
//	boomctl topology
//
// Each command is a struct in a file of its own, named after it; its fields are
// its flags, its method Run does the work, and its method about has examples.
// Help, completion and the manual page are made from these.
package main

import (
	"errors"
	"os"

	"github.com/alecthomas/kong"
)

// cli is the command line: one field for each command.
type cli struct {
	Demo       demoCmd       `cmd:"" help:"Show it all at work: a reactor, three endpoints and a simulated exchange that misbehaves."`
	Exchange   exchangeCmd   `cmd:"" help:"Run a simulated exchange."`
	Connect    connectCmd    `cmd:"" help:"Connect to a WebSocket: messages to standard output, lines of standard input to the peer."`
	Record     recordCmd     `cmd:"" help:"Connect to a WebSocket and record all that comes, as pcapng."`
	Replay     replayCmd     `cmd:"" help:"Play a recording into a reactor again, or serve it to clients."`
	Capture    captureCmd    `cmd:"" help:"Look into recordings: what is in them, messages, figures; repair, cut, import, export."`
	Jitter     jitterCmd     `cmd:"" help:"Watch a loop that never sleeps: what kept it from running, and what to do about it."`
	Resolve    resolveCmd    `cmd:"" help:"Find the addresses of a host: TTL, server, time."`
	Sockopts   sockoptsCmd   `cmd:"" help:"Say which socket options work on this machine, for this user."`
	Bench      benchCmd      `cmd:"" help:"Measure what the parts of a turn cost on each CPU: clocks, cache lines, system calls, round trips, timers, codecs."`
	Top        topCmd        `cmd:"" help:"Show reactors, endpoints and rings of running processes, live."`
	Latency    latencyCmd    `cmd:"" help:"Show the latency histogram of a running endpoint: table, HdrHistogram log, plot."`
	Errors     errorsCmd     `cmd:"" help:"Show what has gone wrong in running processes, each distinct error once."`
	Metrics    metricsCmd    `cmd:"" help:"Show the counters of running processes to Prometheus, or print them as it takes them."`
	Topology   topologyCmd   `cmd:"" help:"Show packages, caches, cores, NUMA nodes and NICs, and which CPUs a placement would choose."`
	Control    controlCmd    `cmd:"" help:"Reach into a running process: idle strategies, histograms, connections, how it stands."`
	Doctor     doctorCmd     `cmd:"" help:"Check this machine as a low-latency engineer would: verdicts, why they matter, and what mends it."`
	Pin        pinCmd        `cmd:"" help:"Show where a running process's threads are, and put them elsewhere."`
	Completion completionCmd `cmd:"" help:"Print what makes a shell complete commands, flags and values."`
	Man        manCmd        `cmd:"" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" help:"Print what this program was built from."`

	Complete completeCmd `cmd:"" name:"__complete" hidden:"" help:"Print what the last word could become; for the completion scripts."`

	ShortVersion versionFlag `name:"version" help:"Print the version."`
}

// about is what the help says of boomctl as a whole.
func (*cli) about() about {
	return about{
		examples: []example{
			{"What it all does, for a first look.", "boomctl demo"},
			{"An exchange to develop against, and a client of it.", "boomctl exchange &\nboomctl connect ws://127.0.0.1:9443/ws/btcusdt@trade --count 5"},
		},
		statuses: []entry{
			{"0", "Success."},
			{"1", "It failed; standard error says why."},
			{"2", "The command line is wrong."},
		},
		environment: []entry{
			{"NO_COLOR", "If it is not empty nothing has colours. What is not a terminal gets none anyway."},
			{"TERM", "dumb: no colours."},
			{"COLUMNS", "How wide help is, up to 100 columns. Default: as wide as the terminal."},
		},
	}
}

// helpWidth is how wide help is at most, in columns: long lines are hard to read.
const helpWidth = 100

// newParser makes the parser of c. Tests use it for the model that it has.
func newParser(c *cli) *kong.Kong {
	return kong.Must(c,
		kong.Name("boomctl"),
		kong.Description("Tools for boomnet, the low-latency network client runtime."),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: helpWidth}),
		kong.Help(printHelp),
		kong.ShortUsageOnError(),
		kong.Exit(exit),
	)
}

func main() {
	parser := newParser(new(cli))
	args := os.Args[1:]
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
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
