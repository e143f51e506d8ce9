package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

var errNoNIC = errors.New("no network interface with a device that is up; --nic names one")

func nicNode(e *exam) found {
	if len(e.devices) == 0 {
		return unknown(errNoNIC)
	}
	nodes := e.topology.Nodes
	if len(nodes) == 1 {
		return good("one node")
	}
	var near affinity.Set
	var at []string
	for _, d := range e.devices {
		i := slices.IndexFunc(nodes, func(n affinity.Node) bool { return n.ID == d.Node })
		if i < 0 {
			return unknown(fmt.Errorf("/sys/class/net/%s/device/numa_node: no node that there is", d.Name))
		}
		near = near.Or(nodes[i].CPUs)
		at = append(at, fmt.Sprintf("%s on node %d", d.Name, d.Node))
	}
	far := e.cores.Without(near)
	if far == (affinity.Set{}) {
		return good("%s, reactor cores too", strings.Join(at, ", "))
	}
	return bad("%s, reactor cores %s on another", strings.Join(at, ", "), far).
		by(fmt.Sprintf("cores near it: `boomctl topology place N --near-nic %s` chooses", e.devices[0].Name))
}

// moveIRQs is the command that moves interrupts off the reactor cores.
func (e *exam) moveIRQs(f found, numbers []int) found {
	to := e.rest()
	if to == (affinity.Set{}) {
		to = e.topology.Online().Without(e.cores)
	}
	if to == (affinity.Set{}) {
		return f.by("a core that no reactor spins on")
	}
	list := strings.Trim(fmt.Sprint(numbers), "[]")
	return f.by("a unit that runs this when the driver has loaded, irqbalance off or told; isolcpus=managed_irq for interrupts that refuse it",
		fmt.Sprintf("for i in %s; do echo %s >/%s/$i/smp_affinity_list; done", list, to, irqDir))
}

func nicIRQs(e *exam) found {
	if len(e.devices) == 0 {
		return unknown(errNoNIC)
	}
	var on, all affinity.Set
	var here []int
	n := 0
	for _, d := range e.devices {
		for _, irq := range d.IRQs {
			n++
			all = all.Or(irq.CPUs)
			if busy := irq.CPUs.And(e.cores); busy != (affinity.Set{}) {
				here = append(here, irq.Number)
				on = on.Or(busy)
			}
		}
	}
	switch {
	case n == 0:
		return unknown(fmt.Errorf("/sys/class/net/%s/device/msi_irqs: no interrupt is told", e.devices[0].Name))
	case all == affinity.Set{}:
		return unknown(fmt.Errorf("/%s/%d/smp_affinity_list: nothing tells where interrupts go", irqDir, e.devices[0].IRQs[0].Number))
	case len(here) == 0:
		return good("%d of %s, on CPUs %s", n, e.devices[0].Name, all)
	}
	return e.moveIRQs(bad("%d of %d of %s on reactor cores %s", len(here), n, e.devices[0].Name, on), here)
}

func otherIRQs(e *exam) found {
	names, err := e.names(irqDir)
	if err != nil {
		return unknown(err)
	}
	var nics []int
	for _, d := range e.devices {
		for _, irq := range d.IRQs {
			nics = append(nics, irq.Number)
		}
	}
	var here []int
	var on []string
	read := 0
	for _, name := range names {
		number, err := strconv.ParseUint(name, 10, 31)
		if err != nil || slices.Contains(nics, int(number)) {
			continue
		}
		handler := e.handler(irqDir + "/" + name)
		if handler == "" {
			continue // requested by nobody
		}
		cpus, err := e.list(irqDir + "/" + name + "/effective_affinity_list")
		if err != nil || cpus == (affinity.Set{}) {
			if cpus, err = e.list(irqDir + "/" + name + "/smp_affinity_list"); err != nil {
				continue
			}
		}
		read++
		if cpus.And(e.cores) != (affinity.Set{}) {
			here = append(here, int(number))
			on = append(on, handler)
		}
	}
	slices.Sort(here)
	if read == 0 {
		return unknown(fmt.Errorf("/%s: no interrupt of which the CPUs can be read", irqDir))
	}
	if len(here) == 0 {
		return good("none of %d on reactor cores", read)
	}
	const shown = 3
	if len(on) > shown {
		on = append(on[:shown], "…")
	}
	return e.moveIRQs(warn("%d of %d on reactor cores: %s", len(here), read, strings.Join(on, ", ")), here)
}

// handler is the name of who handles an interrupt: a folder in the interrupt's own.
func (e *exam) handler(dir string) string {
	names, err := e.names(dir)
	if err != nil {
		return ""
	}
	for _, name := range names {
		if _, err := e.names(dir + "/" + name); err == nil {
			return strings.ToValidUTF8(name, "?")
		}
	}
	return ""
}

func irqDefault(e *exam) found {
	const file = irqDir + "/default_smp_affinity"
	cpus, err := e.mask(file)
	if err != nil {
		return unknown(err)
	}
	return e.outOfList(cpus.And(e.topology.Online()), "CPUs").
		atBoot("irqaffinity="+e.rest().String(), fmt.Sprintf("echo %s >/%s", formatMask(e.rest()), file))
}

// running finds a process by its name.
func (e *exam) running(name string) (pid int, err error) {
	entries, err := e.names("proc")
	if err != nil {
		return 0, err
	}
	read := false
	for _, entry := range entries {
		n, err := strconv.ParseUint(entry, 10, 31)
		if err != nil {
			continue
		}
		comm, err := e.text("proc/" + entry + "/comm")
		if err != nil {
			continue // it has ended
		}
		read = true
		if comm == name {
			return int(n), nil
		}
	}
	if !read {
		return 0, errors.New("/proc: no process is to be seen")
	}
	return 0, nil
}

func irqbalance(e *exam) found {
	pid, err := e.running("irqbalance")
	switch {
	case err != nil:
		return unknown(err)
	case pid == 0:
		return good("not running")
	case e.cores.Within(e.topology.Isolated.Or(e.topology.NohzFull)):
		return good("running (process %d); it leaves isolated cores alone", pid)
	}
	return warn("running (process %d), and may use reactor cores", pid).
		by("/etc/default/irqbalance: IRQBALANCE_BANNED_CPULIST="+e.wholeCores().String(), "systemctl disable --now irqbalance")
}

func packetSteering(e *exam) found {
	if len(e.devices) == 0 {
		return unknown(errNoNIC)
	}
	var steered affinity.Set
	var files []string
	queues := 0
	for _, d := range e.devices {
		dir := "sys/class/net/" + d.Name + "/queues"
		names, err := e.names(dir)
		if err != nil {
			return unknown(err)
		}
		for _, name := range names {
			if !strings.HasPrefix(name, "rx-") {
				continue
			}
			cpus, err := e.mask(dir + "/" + name + "/rps_cpus")
			if err != nil {
				return unknown(err)
			}
			queues++
			if cpus.And(e.cores) != (affinity.Set{}) {
				files = append(files, dir+"/"+name+"/rps_cpus")
			}
			steered = steered.Or(cpus)
		}
	}
	if queues == 0 {
		return unknown(fmt.Errorf("/sys/class/net/%s/queues: no receive queue", e.devices[0].Name))
	}
	f := e.outOfList(steered, "RPS hands packets to CPUs")
	if len(files) == 0 {
		if steered == (affinity.Set{}) {
			f = good("RPS is off")
		}
		return f
	}
	return f.byFile(files[0], formatMask(steered.Without(e.cores)))
}

func busyPoll(e *exam) found {
	read, err := e.number(coreNet + "/busy_read")
	if err != nil {
		return unknown(err)
	}
	poll, err := e.number(coreNet + "/busy_poll")
	if err != nil {
		return unknown(err)
	}
	seen := fmt.Sprintf("busy_read %d µs, busy_poll %d µs", read, poll)
	if read > 0 {
		return good("%s", seen)
	}
	return warn("%s; fine when the program sets stream.Options.BusyPoll", seen).bySysctl("net.core.busy_read", "50")
}

func socketBuffers(e *exam) found {
	const least = 1 << 20
	receive, err := e.number(coreNet + "/rmem_max")
	if err != nil {
		return unknown(err)
	}
	send, err := e.number(coreNet + "/wmem_max")
	if err != nil {
		return unknown(err)
	}
	const want = "8388608"
	return judge(min(receive, send) >= least, Warn, "rmem_max %d, wmem_max %d bytes", receive, send).
		by("/etc/sysctl.d/90-boomnet.conf: net.core.rmem_max = "+want+", net.core.wmem_max = "+want+", a line each",
			"sysctl -w net.core.rmem_max="+want+" net.core.wmem_max="+want)
}

func tcpBuffers(e *exam) found {
	const file, least = "proc/sys/net/ipv4/tcp_rmem", 4 << 20
	text, err := e.text(file)
	if err != nil {
		return unknown(err)
	}
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return unknown(malformed(file, text, "three sizes"))
	}
	most, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return unknown(malformed(file, text, "three sizes"))
	}
	return judge(most >= least, Warn, "tcp_rmem up to %d bytes", most).bySysctl(sysctl(file), "4096 131072 8388608")
}

func tcpIdle(e *exam) found {
	f := e.settingOff("proc/sys/net/ipv4/tcp_slow_start_after_idle", Warn)
	if f.verdict != Unknown {
		f.seen = "tcp_slow_start_after_idle " + f.seen
	}
	return f
}
