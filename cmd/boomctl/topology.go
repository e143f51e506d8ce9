package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/term"
)

// topologyCmd is `boomctl topology`: what there is to run reactors on.
type topologyCmd struct {
	JSON  bool   `name:"json" help:"Print JSON, which --from reads."`
	Sysfs string `placeholder:"DIR" help:"A folder that holds sys and proc of another machine, instead of this one's."`
	From  string `placeholder:"FILE" help:"What --json has printed elsewhere, instead of this machine; - for standard input."`

	Show  topologyShowCmd  `cmd:"" default:"1" help:"Draw it (the default)."`
	Place topologyPlaceCmd `cmd:"" help:"Say which CPUs a placement would choose, and why."`
}

// Help is the long help.
func (*topologyCmd) Help() string {
	return "The tree is packages, dies and the caches that several cores share, with the cores below. A run of equal cores is one line: 0+16 … 7+23 are cores whose SMT siblings are CPUs 0 and 16, up to 7 and 23. " +
		"Where this process may not use every CPU, those that it may are marked \"ours\"."
}

// read reads the topology that was asked for.
func (c *topologyCmd) read() (*affinity.Topology, error) {
	switch {
	case c.Sysfs != "" && c.From != "":
		return nil, errors.New("topology: --sysfs and --from exclude each other")
	case c.Sysfs != "":
		if _, err := os.Stat(filepath.Join(c.Sysfs, "sys/devices/system/cpu")); err != nil {
			return nil, fmt.Errorf("topology: --sysfs: %w", err)
		}
		return affinity.Read(os.DirFS(c.Sysfs)), nil
	case c.From != "":
		return readTopology(c.From)
	}
	return affinity.Local(), nil
}

// maxTopology bounds a file for --from. That of a machine with 1024 CPUs has 1 MiB.
const maxTopology = 64 << 20

func readTopology(path string) (*affinity.Topology, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, fmt.Errorf("topology: --from: %w", err)
		}
		defer f.Close()
	}
	t := new(affinity.Topology)
	if err := json.NewDecoder(io.LimitReader(f, maxTopology)).Decode(t); err != nil {
		return nil, fmt.Errorf("topology: --from %s: %w", path, err)
	}
	for i, c := range t.CPUs { // as Topology promises; all else may be anything
		if c.ID < 0 || c.ID >= affinity.MaxCPUs || i > 0 && c.ID <= t.CPUs[i-1].ID {
			return nil, fmt.Errorf("topology: --from %s: CPU %d: must be 0 to %d, in ascending order", path, c.ID, affinity.MaxCPUs-1)
		}
	}
	return t, nil
}

// canvas is for standard output: as wide as a terminal is, 80 columns elsewhere.
func canvas() *term.Canvas {
	const width, narrowest = 80, 40
	if columns, _, ok := term.Size(os.Stdout); ok {
		return term.NewCanvas(max(columns, narrowest), term.Colour(os.Stdout))
	}
	return term.NewCanvas(width, false)
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// topologyShowCmd is `boomctl topology show`.
type topologyShowCmd struct{}

func (*topologyShowCmd) about() about {
	return about{examples: []example{
		{"This machine.", "boomctl topology"},
		{"Another one, from what it printed there.", "boomctl topology --json > machine.json\nboomctl topology --from machine.json"},
	}}
}

// Run draws or prints the topology.
func (*topologyShowCmd) Run(c *topologyCmd) error {
	t, err := c.read()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t)
	}
	out := canvas()
	drawTopology(out, t)
	_, err = os.Stdout.WriteString(out.String())
	return err
}

// topologyPlaceCmd is `boomctl topology place`.
type topologyPlaceCmd struct {
	N int `arg:"" help:"How many threads, such as reactors."`

	Policy         affinity.Kind `default:"spread" placeholder:"HOW" suggest:"spread,pack,shared,fixed,unbound" help:"spread (default), pack, shared, fixed or unbound."`
	CPUs           affinity.Set  `name:"cpus" placeholder:"LIST" help:"For fixed: the CPUs, such as 2-3,8; else: only these."`
	Except         affinity.Set  `placeholder:"LIST" help:"Not these."`
	AvoidSMT       bool          `name:"avoid-smt" help:"One CPU of each core."`
	AvoidCPU0      bool          `name:"avoid-cpu0" help:"Not CPU 0."`
	AvoidSlow      bool          `help:"Only the fastest kind of core."`
	PreferIsolated bool          `help:"Isolated CPUs first."`
	OnlyIsolated   bool          `help:"Isolated CPUs only."`
	NearNIC        string        `name:"near-nic" placeholder:"INTERFACE" help:"Only CPUs next to this network interface."`
	Node           int           `default:"-1" placeholder:"N" help:"Only CPUs of this NUMA node."`
}

func (*topologyPlaceCmd) about() about {
	return about{examples: []example{
		{"Two reactors that share a cache, on cores of their own, near a NIC.", "boomctl topology place 2 --policy pack --avoid-smt --near-nic eth0"},
		{"Four, as far apart as can be, CPU 0 left to the kernel.", "boomctl topology place 4 --avoid-cpu0"},
	}}
}

// policy is what the flags ask for.
func (p *topologyPlaceCmd) policy(t *affinity.Topology) (affinity.Policy, error) {
	policy := affinity.Policy{
		Kind: p.Policy, Except: p.Except, NearNIC: p.NearNIC, Within: p.CPUs,
		AvoidSMT: p.AvoidSMT, AvoidCPU0: p.AvoidCPU0, AvoidSlow: p.AvoidSlow,
		PreferIsolated: p.PreferIsolated, OnlyIsolated: p.OnlyIsolated,
	}
	if p.Policy == affinity.KindFixed {
		policy.CPUs, policy.Within = p.CPUs.CPUs(), affinity.Set{}
	}
	if p.Node < 0 {
		return policy, nil
	}
	for _, n := range t.Nodes {
		if n.ID != p.Node {
			continue
		}
		if policy.Within != (affinity.Set{}) {
			n.CPUs = n.CPUs.And(policy.Within)
		}
		if n.CPUs == (affinity.Set{}) {
			break
		}
		policy.Within = n.CPUs
		return policy, nil
	}
	return policy, fmt.Errorf("topology: --node %d: no such NUMA node, or none of the CPUs asked for is in it", p.Node)
}

// Run prints the plan.
func (p *topologyPlaceCmd) Run(c *topologyCmd) error {
	t, err := c.read()
	if err != nil {
		return err
	}
	policy, err := p.policy(t)
	if err != nil {
		return err
	}
	plan, err := t.Place(p.N, policy)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(planJSON(plan))
	}
	out := canvas()
	drawPlan(out, t, p.Policy, plan)
	_, err = os.Stdout.WriteString(out.String())
	return err
}

// planJSON is a plan for programs; a thread that is not bound is on CPU -1.
func planJSON(p *affinity.Plan) any {
	var v struct {
		CPUs     []int                `json:"cpus"`
		Rest     affinity.Set         `json:"rest"`
		Warnings []affinity.Warning   `json:"warnings"`
		Excluded []affinity.Exclusion `json:"excluded"`
	}
	for _, at := range p.Placements {
		cpu, _ := at.CPU()
		v.CPUs = append(v.CPUs, cpu)
	}
	v.Rest, v.Warnings, v.Excluded = p.Rest, p.Warnings, p.Excluded
	return v
}
