package affinity

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"
)

// maxNICs bounds how many interfaces are looked at.
const maxNICs = 1024

// nics finds the network interfaces and the devices behind them.
func (r *reader) nics(present Set) []NIC {
	names := r.dir(netDir, optional)
	if len(names) > maxNICs {
		r.report(netDir, TooMany, fmt.Sprintf("%d interfaces, %d are looked at", len(names), maxNICs))
		names = names[:maxNICs]
	}
	var nics []NIC
	for _, name := range names {
		at, linked := r.follow(netDir + "/" + name)
		if !r.isDir(at) { // bonding_masters is a file
			continue
		}
		nic := NIC{Name: strings.ToValidUTF8(name, "?"), Node: -1}
		state, _ := r.text(at+"/operstate", quiet)
		nic.Up = state == "up"
		const mega, fastest = 1_000_000, 100_000_000
		if n, ok := r.number(at+"/speed", quiet, 1, fastest); ok { // an error while it is down
			nic.Speed = n * mega
		}
		for _, entry := range r.dir(at, quiet) {
			if lower, ok := strings.CutPrefix(entry, "lower_"); ok {
				nic.Lower = append(nic.Lower, strings.ToValidUTF8(lower, "?"))
			}
		}
		nic.Virtual = !r.isDir(at + "/device")
		if !nic.Virtual {
			r.device(&nic, at, linked, present)
		}
		nics = append(nics, nic)
	}
	return nics
}

// follow returns where a link leads, and whether it is one. Most file systems
// follow it themselves; but only the folder that it leads to has parents.
func (r *reader) follow(name string) (to string, linked bool) {
	target, err := fs.ReadLink(r.fsys, name)
	if err != nil {
		return name, false
	}
	if !path.IsAbs(target) {
		target = path.Join("/", path.Dir(name), target)
	}
	target = strings.TrimPrefix(path.Clean(target), "/")
	if !fs.ValidPath(target) || len(target) > maxPath {
		r.report(name, Malformed, "a link to "+clip(target))
		return name, false
	}
	return target, true
}

func (r *reader) isDir(name string) bool {
	info, err := fs.Stat(r.fsys, name)
	return err == nil && info.IsDir()
}

func (r *reader) exists(name string) bool {
	_, err := fs.Stat(r.fsys, name)
	return err == nil
}

// device fills in what the bus knows of an interface. The device that tells a
// node is the interface's own, or one above it: a virtio or USB device sits below
// a PCI device, and that one has the interrupts too.
func (r *reader) device(nic *NIC, at string, linked bool, present Set) {
	if driver, ok := r.follow(at + "/device/driver"); ok {
		nic.Driver = strings.ToValidUTF8(path.Base(driver), "?")
	}
	dir := at + "/device"
	if linked {
		const highest = 16
		for up, above := 0, path.Dir(at); up < highest && strings.Count(above, "/") > 1; up, above = up+1, path.Dir(above) {
			if r.exists(above+"/numa_node") || r.exists(above+"/local_cpulist") || r.exists(above+"/msi_irqs") {
				dir = above
				nic.Device = strings.ToValidUTF8(path.Base(above), "?")
				break
			}
		}
	}
	nic.Node = r.id(dir+"/numa_node", optional)
	cpus, _ := r.list(dir+"/local_cpulist", optional)
	nic.CPUs = cpus.And(present)

	irqs := numbered(r.dir(dir+"/msi_irqs", optional), "", math.MaxInt32)
	if irqs == nil {
		if n, ok := r.number(dir+"/irq", quiet, 1, math.MaxInt32); ok {
			irqs = []int{int(n)}
		}
	}
	for _, n := range irqs {
		irq := IRQ{Number: n}
		for _, file := range []string{"effective_affinity_list", "smp_affinity_list"} {
			if cpus, ok := r.some(fmt.Sprintf("proc/irq/%d/%s", n, file), optional); ok {
				irq.CPUs = cpus.And(present)
				break
			}
		}
		nic.IRQs = append(nic.IRQs, irq)
	}
}
