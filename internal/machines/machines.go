// Package machines holds fakes of machines for tests: the part of /sys and /proc
// that tells a topology, as a file system in memory.
//
//	t := affinity.Read(machines.TwoSocketSMT())
//
// A [Shape] is a regular machine; whatever is not regular about one is written
// over it, file by file. The files are as Linux 6 writes them, final newline
// included.
package machines

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing/fstest"
)

// Machine is the root of a file system: sys and proc.
type Machine struct{ fstest.MapFS }

// Put writes a file, with a newline behind text.
func (m Machine) Put(path, text string, args ...any) {
	m.MapFS[path] = &fstest.MapFile{Data: []byte(fmt.Sprintf(text, args...) + "\n"), Mode: 0o444}
}

// Link makes a symbolic link.
func (m Machine) Link(path, target string) {
	m.MapFS[path] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

// Remove removes a file, or a folder with all that is in it.
func (m Machine) Remove(path string) {
	for name := range m.MapFS {
		if name == path || strings.HasPrefix(name, path+"/") {
			delete(m.MapFS, name)
		}
	}
}

// WriteTo writes all files below dir, for programs that want a real folder.
func (m Machine) WriteTo(dir string) error {
	for name, file := range m.MapFS {
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		var err error
		switch {
		case file.Mode&fs.ModeSymlink != 0:
			err = os.Symlink(string(file.Data), to)
		case file.Mode.IsDir():
			err = os.MkdirAll(to, 0o755)
		default:
			err = os.WriteFile(to, file.Data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	cpuDir  = "sys/devices/system/cpu"
	nodeDir = "sys/devices/system/node"
)

// Shape is a machine that is the same everywhere. Zero numbers are 1, caches
// without a size are not there.
type Shape struct {
	Packages int
	Nodes    int // in each package
	L3s      int // in each node
	Cores    int // below each L3
	Threads  int // of each core

	Adjacent bool // siblings are numbered 0 and 1, else all first threads come first

	L1d, L1i, L2, L3 string // sizes: "32K"
}

// cpu is one of a Shape.
type cpu struct{ id, pkg, node, l3, core int }

// Machine builds it.
func (s Shape) Machine() Machine {
	for _, n := range []*int{&s.Packages, &s.Nodes, &s.L3s, &s.Cores, &s.Threads} {
		*n = max(*n, 1)
	}
	cores := s.Packages * s.Nodes * s.L3s * s.Cores
	var all []cpu
	for core := range cores {
		for thread := range s.Threads {
			id := core + thread*cores
			if s.Adjacent {
				id = core*s.Threads + thread
			}
			l3 := core / s.Cores
			all = append(all, cpu{id, l3 / s.L3s / s.Nodes, l3 / s.L3s, l3, core})
		}
	}
	m := Machine{fstest.MapFS{}}
	last := len(all) - 1
	for _, file := range []string{"online", "present", "possible"} {
		m.Put(cpuDir+"/"+file, "0-%d", last)
	}
	m.Put(cpuDir+"/offline", "")
	m.Put(cpuDir+"/isolated", "")
	m.Put(cpuDir+"/nohz_full", "(null)")
	m.Put("proc/self/status", "Name:\tfake\nCpus_allowed:\tff\nCpus_allowed_list:\t0-%d\nMems_allowed_list:\t0", last)
	// list is the list of the CPUs for which same holds.
	list := func(same func(cpu) bool) string {
		var ids []string
		for _, c := range all {
			if same(c) {
				ids = append(ids, fmt.Sprint(c.id))
			}
		}
		return strings.Join(ids, ",")
	}
	for _, c := range all {
		pkg := list(func(o cpu) bool { return o.pkg == c.pkg })
		node := list(func(o cpu) bool { return o.node == c.node })
		l3 := list(func(o cpu) bool { return o.l3 == c.l3 })
		core := list(func(o cpu) bool { return o.core == c.core })
		dir := fmt.Sprintf("%s/cpu%d", cpuDir, c.id)
		m.Put(dir+"/topology/physical_package_id", "%d", c.pkg)
		m.Put(dir+"/topology/die_id", "0")
		m.Put(dir+"/topology/core_id", "%d", c.core%(cores/s.Packages))
		m.Put(dir+"/topology/core_cpus_list", "%s", core)
		m.Put(dir+"/topology/thread_siblings_list", "%s", core)
		m.Put(dir+"/topology/package_cpus_list", "%s", pkg)
		m.cache(dir+"/cache/index0", 1, "Data", s.L1d, core)
		m.cache(dir+"/cache/index1", 1, "Instruction", s.L1i, core)
		m.cache(dir+"/cache/index2", 2, "Unified", s.L2, core)
		m.cache(dir+"/cache/index3", 3, "Unified", s.L3, l3)
		m.Put(fmt.Sprintf("%s/node%d/cpulist", nodeDir, c.node), "%s", node)
	}
	m.nodes(s.Packages, s.Nodes)
	return m
}

func (m Machine) cache(dir string, level int, kind, size, cpus string) {
	if size == "" {
		return
	}
	m.Put(dir+"/level", "%d", level)
	m.Put(dir+"/type", "%s", kind)
	m.Put(dir+"/size", "%s", size)
	m.Put(dir+"/shared_cpu_list", "%s", cpus)
}

// nodes writes memory of 64 GiB a node, and distances.
func (m Machine) nodes(packages, each int) {
	n := packages * each
	m.Put(nodeDir+"/online", "0-%d", n-1)
	for i := range n {
		dir := fmt.Sprintf("%s/node%d", nodeDir, i)
		m.Put(dir+"/meminfo", "Node %d MemTotal:       67108864 kB\nNode %d MemFree:        1000 kB", i, i)
		var distance []string
		for j := range n {
			switch {
			case i == j:
				distance = append(distance, "10")
			case i/each == j/each:
				distance = append(distance, "12")
			default:
				distance = append(distance, "32")
			}
		}
		m.Put(dir+"/distance", "%s", strings.Join(distance, " "))
	}
}

// Virtual adds an interface without a device, above others.
func (m Machine) Virtual(name string, lower ...string) {
	at := "sys/devices/virtual/net/" + name
	m.Put(at+"/operstate", "unknown")
	m.Link("sys/class/net/"+name, "../../devices/virtual/net/"+name)
	for _, l := range lower {
		m.Link(at+"/lower_"+l, "../"+l)
	}
}

// NIC adds an interface on the PCI bus, with an interrupt for each of irqCPUs.
// below is a folder between the PCI device and the interface ("virtio2"), or empty.
func (m Machine) NIC(name, driver, slot, below string, node int, cpus string, firstIRQ int, irqCPUs ...string) {
	pci := "sys/devices/pci0000:00/" + slot
	dev := path.Join(pci, below)
	at := dev + "/net/" + name
	m.Put(pci+"/numa_node", "%d", node)
	m.Put(pci+"/local_cpulist", "%s", cpus)
	m.Put(at+"/operstate", "up")
	m.Put(at+"/speed", "25000")
	m.Link(at+"/device", "../..")
	m.Link(dev+"/driver", "/sys/bus/pci/drivers/"+driver)
	m.Link("sys/class/net/"+name, "../../"+strings.TrimPrefix(at, "sys/"))
	for i, list := range irqCPUs {
		m.Put(fmt.Sprintf("%s/msi_irqs/%d", pci, firstIRQ+i), "msix")
		m.Put(fmt.Sprintf("proc/irq/%d/smp_affinity_list", firstIRQ+i), "%s", cpus)
		m.Put(fmt.Sprintf("proc/irq/%d/effective_affinity_list", firstIRQ+i), "%s", list)
	}
}
