package microbench

// usage is what a thread had of its CPU in a time.
type usage struct{ wall, ran int64 } // ns

func (u usage) add(v usage) usage { return usage{u.wall + v.wall, u.ran + v.ran} }

// lost is the share of the time in which the thread did not run; where that is not
// known, nothing.
func (u usage) lost() float64 {
	if u.ran <= 0 || u.ran >= u.wall {
		return 0
	}
	return float64(u.wall-u.ran) / float64(u.wall)
}
