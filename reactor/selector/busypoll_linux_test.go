package selector

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/unprivileged"
)

// granted reads back what the kernel has.
func granted(t *testing.T, s Selector) epollParams {
	var p epollParams
	require.NoError(t, ioctlParams(s.(*epoll).fd, unix.EPIOCGPARAMS, &p))
	return p
}

// busyPolling is NewEpoll. A kernel without it has nothing to test.
func busyPolling(t *testing.T, b BusyPoll) Selector {
	s, err := NewEpoll(b)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestBusyPollIsGranted(t *testing.T) {
	s := busyPolling(t, BusyPoll{Time: 49_001 * time.Nanosecond, Budget: 64, Prefer: true})
	require.Equal(t, epollParams{usecs: 50, budget: 64, prefer: 1}, granted(t, s))

	// It works like any other.
	a, b := pair(t)
	require.NoError(t, s.Add(a, 7))
	_, err := unix.Write(b, []byte("x"))
	require.NoError(t, err)
	var events [8]Event
	n, err := s.Wait(events[:], long)
	require.NoError(t, err)
	require.Equal(t, []Event{{Token: 7, Readable: true}}, events[:n])
}

func TestBusyPollNeedsPrivilegeForALargeBudget(t *testing.T) {
	busyPolling(t, BusyPoll{Time: time.Second})
	tryTo := func(b BusyPoll) error {
		return unprivileged.Run(func() error {
			s, err := NewEpoll(b)
			if err != nil {
				return err
			}
			return s.Close()
		})
	}
	require.NoError(t, tryTo(BusyPoll{Time: time.Second, Budget: 64, Prefer: true}))
	err := tryTo(BusyPoll{Time: time.Second, Budget: 65})
	require.ErrorIs(t, err, unix.EPERM)
	require.EqualError(t, err, "selector: EPIOCSPARAMS busy_poll_usecs 1000000, busy_poll_budget 65, prefer_busy_poll false: "+
		"operation not permitted: a budget above 64 needs CAP_NET_ADMIN")
}

func TestBusyPollRefused(t *testing.T) {
	for _, b := range []BusyPoll{
		{Time: -1}, {Time: time.Hour}, {Budget: -1}, {Budget: 65536},
	} {
		_, err := NewEpoll(b)
		require.ErrorIs(t, err, unix.EINVAL, "%v", b)
		require.ErrorContains(t, err, b.String())
	}

	// An old kernel answers as a descriptor does that is no epoll.
	w, err := newWaker()
	require.NoError(t, err)
	defer unix.Close(w.fd)
	err = setBusyPoll(w.fd, BusyPoll{Time: time.Microsecond})
	require.ErrorIs(t, err, unix.ENOTTY)
	require.ErrorContains(t, err, "busy_poll_usecs 1,")
	require.ErrorContains(t, err, "it needs Linux 6.9")
}
