package stream

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestWait(t *testing.T) {
	a, b := pair(t, nil)
	ctx := testCtx(t)
	require.NoError(t, a.Wait(ctx, true))

	// What came before the wait, before the first one even, is not missed.
	_, err := b.Write([]byte("x"))
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, a.Wait(ctx, false))
	}
	_, err = a.Read(make([]byte, 1))
	require.NoError(t, err)

	done := make(chan error)
	go func() { done <- a.Wait(ctx, false) }()
	select {
	case err := <-done:
		t.Fatal("nothing to read, Wait returned ", err)
	case <-time.After(20 * time.Millisecond):
	}
	_, err = b.Write([]byte("y"))
	require.NoError(t, err)
	require.NoError(t, <-done)
	_, err = a.Read(make([]byte, 1))
	require.NoError(t, err)

	require.NoError(t, b.Close())
	require.NoError(t, a.Wait(ctx, false), "the end is readable")
}

func TestWaitToWrite(t *testing.T) {
	a, b := pair(t, nil)
	for a.Queued() == 0 {
		_, err := a.Write(make([]byte, 100_000))
		require.NoError(t, err)
	}
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, a.Wait(short, true), context.DeadlineExceeded)
	done := make(chan error)
	go func() { done <- a.Wait(testCtx(t), true) }()
	for p := make([]byte, 1<<20); ; {
		if _, err := b.Read(p); err == ErrWouldBlock {
			break
		}
	}
	require.NoError(t, <-done)
}

func TestWaitEndsWithContext(t *testing.T) {
	a, b := pair(t, nil)
	enough := errors.New("enough")
	for range 2 {
		ctx, cancel := context.WithCancelCause(context.Background())
		done := make(chan error)
		go func() { done <- a.Wait(ctx, false) }()
		time.Sleep(5 * time.Millisecond)
		cancel(enough)
		require.ErrorIs(t, <-done, enough)
		require.ErrorIs(t, a.Wait(ctx, false), enough, "ended before")
	}
	// The next wait is not poisoned.
	_, err := b.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, a.Wait(testCtx(t), false))
	require.NoError(t, a.Wait(testCtx(t), true))
}

// A cancellation may come at any moment of a wait that ends anyway.
func TestWaitCancelRace(t *testing.T) {
	a, b := pair(t, nil)
	_, err := b.Write([]byte("x"))
	require.NoError(t, err)
	for i := range 300 {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for range i % 20 {
				_ = ctx.Err()
			}
			cancel()
		}()
		if err := a.Wait(ctx, false); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, a.Wait(context.Background(), false))
		cancel()
	}
}

func TestDetach(t *testing.T) {
	a, b := pair(t, nil)
	require.NoError(t, a.Wait(testCtx(t), true))
	require.NoError(t, a.Detach())
	require.NoError(t, a.Detach())
	require.ErrorIs(t, a.Wait(testCtx(t), true), ErrDetached)
	_, err := b.Write([]byte("still"))
	require.NoError(t, err)
	p := make([]byte, 9)
	n, err := a.Read(p)
	require.NoError(t, err)
	require.Equal(t, "still", string(p[:n]))
	flags, err := unix.FcntlInt(uintptr(a.FD()), unix.F_GETFL, 0)
	require.NoError(t, err)
	require.NotZero(t, flags&unix.O_NONBLOCK)
	flags, err = unix.FcntlInt(uintptr(a.FD()), unix.F_GETFD, 0)
	require.NoError(t, err)
	require.NotZero(t, flags&unix.FD_CLOEXEC)
	require.NoError(t, b.Detach(), "before any wait")
	require.ErrorIs(t, b.Wait(testCtx(t), true), ErrDetached)
}

func TestUnwatch(t *testing.T) {
	a, b := pair(t, nil)
	require.NoError(t, a.Unwatch(), "before any wait")
	for range 2 {
		require.NoError(t, a.Wait(testCtx(t), true))
		dup := watchedFD(t, &a.waiter)
		require.NoError(t, a.Unwatch())
		require.NoError(t, a.Unwatch())
		_, err := unix.FcntlInt(uintptr(dup), unix.F_GETFD, 0)
		require.ErrorIs(t, err, unix.EBADF, "the duplicate is closed")
	}
	_, err := b.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, a.Wait(testCtx(t), false), "it waits again")
}

// watchedFD is the descriptor that Go's poller watches.
func watchedFD(t *testing.T, w *waiter) (fd int) {
	t.Helper()
	require.NoError(t, w.raw.Control(func(d uintptr) { fd = int(d) }))
	return fd
}
