package affinity

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// nodes finds the NUMA nodes. A kernel built without NUMA has none.
func (r *reader) nodes(t *Topology) {
	online := t.Online()
	var taken Set
	for _, id := range numbered(r.dir(nodeDir, optional), "node", math.MaxInt16) {
		dir := fmt.Sprintf("%s/node%d", nodeDir, id)
		n := Node{ID: id, Memory: r.memory(dir + "/meminfo"), Distance: r.distances(dir + "/distance")}
		if cpus, ok := r.list(dir+"/cpulist", expected); ok {
			if cpus.And(taken) != (Set{}) {
				r.report(dir+"/cpulist", Contrary, cpus.String())
			}
			n.CPUs = cpus.And(online).Without(taken)
		}
		taken = taken.Or(n.CPUs)
		t.Nodes = append(t.Nodes, n)
	}
	for i := range t.CPUs {
		if at := holder(t.Nodes, t.CPUs[i].ID, func(n Node) Set { return n.CPUs }); at >= 0 {
			t.CPUs[i].Node = t.Nodes[at].ID
		}
	}
}

// memory finds the line "Node 0 MemTotal: 24684084 kB".
func (r *reader) memory(path string) int64 {
	text, ok := r.text(path, optional)
	if !ok {
		return 0
	}
	for line := range strings.Lines(text) {
		_, amount, found := strings.Cut(line, "MemTotal:")
		if !found {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(amount), " kB"), 10, 63)
		if err != nil || n > math.MaxInt64>>10 {
			break
		}
		return int64(n) << 10
	}
	r.report(path, Malformed, "no MemTotal in kB")
	return 0
}

// distances reads "10 21"; nil when it is not that.
func (r *reader) distances(path string) []int {
	text, ok := r.text(path, optional)
	if !ok {
		return nil
	}
	var all []int
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(field, 10, 16)
		if err != nil {
			r.report(path, Malformed, strconv.Quote(clip(text)))
			return nil
		}
		all = append(all, int(n))
	}
	return all
}
