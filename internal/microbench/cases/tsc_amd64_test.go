package cases

import "testing"

func BenchmarkTSC(b *testing.B) {
	for b.Loop() {
		tsc()
	}
}
