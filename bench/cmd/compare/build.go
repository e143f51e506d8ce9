package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/boomnet-go/boomnet/bench/harness"
)

// client is a program that keeps to the contract in package meter.
type client struct {
	name, program string
	env           []string // beside the server's
}

// programs are the clients of this module and their packages.
var programs = map[string]string{
	"boomnet":           "./client",
	"boomnet-unchecked": "./client",
	"boomnet-reactor":   "./client-reactor",
	"gws":               "./peers/gws",
	"gobwas":            "./peers/gobwas",
	"coder":             "./peers/coder",
	"gorilla":           "./peers/gorilla",
}

// environment is what a client of this module has in its environment.
var environment = map[string][]string{"boomnet-unchecked": {"SKIP_UTF8=1"}}

// build makes the server and the clients that are wanted in dir, and returns
// the clients with the base first and once more under a second name. note is
// what the reader has to know about the base.
func build(ctx context.Context, dir string, c config) (clients []client, note string, err error) {
	packages := []string{"./server"}
	var rest []client
	for _, name := range c.clients {
		packages = append(packages, programs[name])
		rest = append(rest, client{name, filepath.Join(dir, filepath.Base(programs[name])), environment[name]})
	}
	if err := harness.Build(ctx, dir+string(filepath.Separator), packages...); err != nil {
		return nil, "", err
	}
	floor, why := buildFloor(ctx, dir, c.transport)
	if why == "" {
		return append([]client{{name: "floor", program: floor}, {name: "floor2", program: floor}}, rest...), "", nil
	}
	base := filepath.Join(dir, "client")
	if err := harness.Build(ctx, base, "./client"); err != nil {
		return nil, "", err
	}
	clients = []client{{name: "boomnet", program: base}, {name: "boomnet2", program: base}}
	for _, r := range rest {
		if r.name != "boomnet" {
			clients = append(clients, r)
		}
	}
	return clients, "NO FLOOR (" + why + "): ratios are to the bare client, boomnet, and say nothing of its own cost", nil
}

// buildFloor makes the C client. why says what is missing.
func buildFloor(ctx context.Context, dir string, t transport) (program, why string) {
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	for _, tool := range []string{"make", strings.Fields(compiler)[0]} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", "no " + tool + " here to build the C client with"
		}
	}
	target, name := "all", "floor"
	if t.secure() {
		target, name = "tls", "floor-tls"
	}
	out, err := exec.CommandContext(ctx, "make", "-s", "-C", "floor", target, "CC="+compiler, "OUT="+dir).CombinedOutput()
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return "", "the C client does not build: " + first
	}
	return filepath.Join(dir, name), ""
}
