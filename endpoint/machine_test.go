package endpoint

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMachineMovesForwardOnly(t *testing.T) {
	policy := (*Policy)(nil).WithDefaults()
	m := NewMachine(&policy)
	require.Equal(t, Idle, m.State())
	require.Zero(t, m.Deadline(), "nothing has begun")
	require.False(t, m.Enter(Connecting, 1), "not before Start")
	m.Start(10)
	require.Equal(t, int64(10)+int64(5*time.Second), m.Deadline())
	require.True(t, m.Enter(Securing, 20), "states may be skipped")
	require.False(t, m.Enter(Connecting, 30), "there is no way back")
	require.False(t, m.Enter(Open, 30), "Open is not part of the set-up")
	require.Equal(t, int64(20), m.Since())
	m.Opened(40)
	require.Zero(t, m.Deadline(), "an open connection may last")
	require.False(t, m.Enter(Upgrading, 50))
	m.Close(60)
	require.NoError(t, m.Overdue(60+int64(5*time.Second)-1))
	require.ErrorIs(t, m.Overdue(60+int64(5*time.Second)), ErrCloseDeadline)
	m.End(70)
	require.Zero(t, m.Deadline())
	require.NoError(t, m.Overdue(1<<60))
}

func TestHealthyNeedsTimeAndData(t *testing.T) {
	policy := Policy{HealthyAfter: 10}.WithDefaultsForTest()
	m := NewMachine(&policy)
	m.Start(0)
	require.False(t, m.Healthy())
	m.Opened(100)
	require.False(t, m.Healthy(), "no data")
	m.Data(109)
	require.False(t, m.Healthy(), "too early")
	m.Data(110)
	require.True(t, m.Healthy())
	m.End(1000)
	require.True(t, m.Healthy(), "it is asked after the end")
}

// WithDefaultsForTest lets a literal be used where a pointer is needed.
func (p Policy) WithDefaultsForTest() Policy { return p.WithDefaults() }

func TestPolicy(t *testing.T) {
	require.Equal(t, DefaultPolicy, (&Policy{}).WithDefaults())
	require.Equal(t, DefaultPolicy, (*Policy)(nil).WithDefaults())
	p := (&Policy{ConnectTimeout: -1, MaxDelay: time.Minute, MaxAttempts: 3}).WithDefaults()
	require.Zero(t, p.Timeout(Connecting), "negative: none")
	require.Equal(t, 5*time.Second, p.Timeout(Resolving))
	require.Zero(t, p.Timeout(Open))
	require.Equal(t, time.Minute, p.MaxDelay)
	for _, bad := range []Policy{{FirstDelay: -1}, {MaxDelay: -1}, {HealthyAfter: -1}, {MaxAttempts: -1}} {
		require.Error(t, bad.Validate())
	}
	require.NoError(t, p.Validate())
}

func TestDelayIsFullJitterUnderADoublingBound(t *testing.T) {
	p := (*Policy)(nil).WithDefaults()
	random := rand.New(rand.NewPCG(3, 4))
	for losses := 1; losses < 80; losses++ {
		bound := 30 * time.Second
		if losses <= 9 {
			bound = min(bound, 100*time.Millisecond<<(losses-1))
		}
		var sum, most time.Duration
		const draws = 400
		for range draws {
			d := p.Delay(losses, random)
			require.GreaterOrEqual(t, d, time.Duration(0))
			require.Less(t, d, bound)
			sum += d
			most = max(most, d)
		}
		require.InDelta(t, 0.5, float64(sum)/draws/float64(bound), 0.1, "evenly drawn")
		require.Greater(t, most, bound*9/10)
	}
}

func TestStateNames(t *testing.T) {
	require.Equal(t, "open", Open.String())
	require.Equal(t, "user", User.String())
	require.Equal(t, "state 99", State(99).String())
}
