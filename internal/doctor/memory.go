package doctor

import "fmt"

func thp(e *exam) found {
	enabled, err := e.choice(thpDir + "/enabled")
	if err != nil {
		return unknown(err)
	}
	return judge(enabled != "always", Warn, "%s", enabled).
		atBoot("transparent_hugepage=madvise", "echo madvise >/"+thpDir+"/enabled")
}

func thpDefrag(e *exam) found {
	defrag, err := e.choice(thpDir + "/defrag")
	if err != nil {
		return unknown(err)
	}
	return judge(defrag != "always", Bad, "%s", defrag).byFile(thpDir+"/defrag", "madvise")
}

func khugepaged(e *exam) found {
	enabled, err := e.choice(thpDir + "/enabled")
	if err != nil {
		return unknown(err)
	}
	defrag, err := e.number(thpDir + "/khugepaged/defrag")
	if err != nil {
		return unknown(err)
	}
	if enabled != "always" {
		return good("only memory that asks for huge pages, of which Go's has none")
	}
	return judge(defrag == 0, Warn, "scans all memory, defrag %d", defrag).byFile(thpDir+"/khugepaged/defrag", "0")
}

func hugePages(e *exam) found {
	text, err := e.text("proc/meminfo")
	if err != nil {
		return unknown(err)
	}
	var n [4]int64
	for i, key := range []string{"HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "Hugepagesize"} {
		if n[i], err = parseMeminfo(text, key); err != nil {
			return unknown(fmt.Errorf("/proc/meminfo: %w", err))
		}
	}
	total, free, reserved, size := n[0], n[1], n[2], n[3]
	if total == 0 {
		return good("none")
	}
	return judge(free < total || reserved > 0, Warn, "%d of %d KiB, %d in use", total, size, total-free).
		bySysctl("vm.nr_hugepages", "0")
}

func ksm(e *exam) found {
	const file = "sys/kernel/mm/ksm/run"
	run, err := e.number(file)
	if err != nil {
		return unknown(err)
	}
	return judge(run != 1, Warn, "%s", []string{"off", "running", "off, merged pages split"}[min(max(run, 0), 2)]).byFile(file, "0")
}

func swap(e *exam) found {
	areas, size, used, err := e.swaps()
	if err != nil {
		return unknown(err)
	}
	const keep = "/etc/fstab, /etc/systemd/zram-generator.conf: no swap; or MemorySwapMax=0 in the unit"
	switch {
	case areas == 0:
		return good("none")
	case used > 0:
		return bad("%d of %d MiB in use", used>>10, size>>10).by(keep, "swapoff -a")
	}
	return warn("%d MiB, none in use", size>>10).by(keep, "swapoff -a")
}

func (e *exam) swaps() (areas int, size, used int64, err error) {
	text, err := e.text("proc/swaps")
	if err != nil {
		return 0, 0, 0, err
	}
	if areas, size, used, err = parseSwaps(text); err != nil {
		err = fmt.Errorf("/proc/swaps: %w", err)
	}
	return areas, size, used, err
}

func swappiness(e *exam) found {
	n, err := e.number(vmDir + "/swappiness")
	if err != nil {
		return unknown(err)
	}
	if areas, _, _, err := e.swaps(); err == nil && areas == 0 {
		return good("%d, and nothing to swap to", n)
	}
	const little = 10
	return judge(n <= little, Warn, "%d", n).bySysctl("vm.swappiness", "1")
}

// settingOff judges a setting of /proc/sys that should be 0.
func (e *exam) settingOff(path string, otherwise Verdict) found {
	n, err := e.number(path)
	if err != nil {
		return unknown(err)
	}
	return judge(n == 0, otherwise, "%d", n).bySysctl(sysctl(path), "0")
}

func zoneReclaim(e *exam) found {
	return e.settingOff(vmDir+"/zone_reclaim_mode", Warn)
}

func numaBalancing(e *exam) found {
	n, err := e.number(kernDir + "/numa_balancing")
	if err != nil {
		return unknown(fmt.Errorf("%w (a kernel without it has no such file)", err))
	}
	if n != 0 && len(e.topology.Nodes) < 2 {
		return good("%d, on one node", n)
	}
	return e.settingOff(kernDir+"/numa_balancing", Bad)
}

func compaction(e *exam) found {
	return e.settingOff(vmDir+"/compaction_proactiveness", Warn)
}

func vmStat(e *exam) found {
	n, err := e.number(vmDir + "/stat_interval")
	if err != nil {
		return unknown(err)
	}
	const seldom = 10
	if e.cores.Within(e.topology.NohzFull) {
		return good("%d s, and nohz_full cores are left out", n)
	}
	return judge(n >= seldom, Warn, "%d s", n).bySysctl("vm.stat_interval", "120")
}
