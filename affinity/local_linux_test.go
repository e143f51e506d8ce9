package affinity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLocal(t *testing.T) {
	available, err := Available()
	require.NoError(t, err)
	m := Local()
	consistent(t, m)
	roundTrip(t, m)
	require.Equal(t, available, m.Process.Allowed)
	require.True(t, available.Within(m.Present()))
	require.NotEmpty(t, m.NICs, "there is lo at least")

	plan, err := m.Place(1, Policy{Kind: KindSpread})
	require.NoError(t, err)
	cpu, fixed := plan.Placements[0].CPU()
	require.True(t, fixed)
	pinned(cpu, func(e error) { err = e })
	require.NoError(t, err, "what is chosen can be pinned to")
}
