package tape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/stream"
)

// stored is what is left of err when it was recorded and read again.
func stored(t testing.TB, err error) (Error, error) {
	b := (&Record{Kind: KindOutcome, Err: ErrorOf(err)}).Append(nil, true)
	var rec Record
	_, e := rec.Parse(b)
	require.NoError(t, e)
	return rec.Err, rec.Err.Err()
}

// Sentinels and errnos come back as themselves: code compares them with ==.
func TestSentinelsComeBackAsThemselves(t *testing.T) {
	all := []error{nil, syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT}
	known := 0
	for _, is := range sentinels {
		if is != nil {
			known++
			all = append(all, is)
		}
	}
	require.Equal(t, int(classes)-3, known, "a class without a sentinel that is not OK, Other or Errno")
	for _, want := range all {
		_, got := stored(t, want)
		require.True(t, got == want, "%v came back as %v", want, got)
	}
}

// Errors that wrap others keep their text, and are to errors.Is what they were.
func TestWrappedErrorsKeepTheirTextAndWhatTheyAre(t *testing.T) {
	plain := errors.New("nobody knows this one")
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("recvfrom", syscall.ECONNRESET)}
	for name, c := range map[string]struct {
		err error
		is  []error
	}{
		"unknown":          {plain, nil},
		"no text":          {errors.New(""), nil},
		"wrapped twice":    {fmt.Errorf("a: %w", fmt.Errorf("b: %w", io.EOF)), []error{io.EOF}},
		"a reset":          {reset, []error{syscall.ECONNRESET}},
		"joined":           {errors.Join(plain, net.ErrClosed), []error{net.ErrClosed}},
		"joined sentinels": {errors.Join(context.Canceled, io.EOF, stream.ErrDetached), []error{context.Canceled, io.EOF, stream.ErrDetached}},
		"a cause and more": {fmt.Errorf("%w (%w)", context.DeadlineExceeded, reset), []error{context.DeadlineExceeded, syscall.ECONNRESET}},
		"deep in a join":   {fmt.Errorf("x: %w", errors.Join(plain, fmt.Errorf("y: %w", errors.Join(io.ErrUnexpectedEOF, io.ErrNoProgress)))), []error{io.ErrUnexpectedEOF, io.ErrNoProgress}},
		"os deadline":      {os.ErrDeadlineExceeded, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := stored(t, c.err)
			require.Error(t, got)
			require.Equal(t, c.err.Error(), got.Error())
			for _, is := range sentinels {
				if is != nil {
					require.Equal(t, errors.Is(c.err, is), errors.Is(got, is), "%v", is)
				}
			}
			for _, is := range c.is {
				require.ErrorIs(t, got, is)
			}
			_, again := stored(t, got)
			require.Equal(t, got, again, "a replay that is recorded")
		})
	}
}

// Every sentinel survives being wrapped, with each of the others beside it.
func TestEveryPairOfSentinelsSurvives(t *testing.T) {
	for _, a := range sentinels {
		for _, b := range sentinels {
			if a == nil || b == nil {
				continue
			}
			err := fmt.Errorf("both: %w and %w", a, b)
			_, got := stored(t, err)
			require.Equal(t, err.Error(), got.Error())
			require.ErrorIs(t, got, a)
			require.ErrorIs(t, got, b)
		}
	}
}

func TestADialErrorKeepsItsPhase(t *testing.T) {
	for _, phase := range []stream.Phase{stream.Resolving, stream.Connecting, stream.Securing} {
		for _, addr := range []string{"", "127.0.0.1:443", "[::1]:443"} {
			cause := error(os.NewSyscallError("connect", syscall.ECONNREFUSED))
			if phase == stream.Securing {
				cause = io.ErrUnexpectedEOF
			}
			err := error(&stream.DialError{Phase: phase, Target: "tls://host:443", Addr: addr, Err: cause})
			e, got := stored(t, err)
			require.EqualValues(t, phase, e.Phase)
			require.Equal(t, err.Error(), got.Error())
			require.ErrorIs(t, got, errors.Unwrap(cause2(cause)))

			played := e.dialError("tls://host:443")
			var dial *stream.DialError
			require.ErrorAs(t, played, &dial)
			require.Equal(t, err.Error(), played.Error())
			require.Equal(t, phase, dial.Phase)
			require.Equal(t, addr, dial.Addr)
		}
	}
}

// cause2 wraps a cause that wraps nothing, so that Unwrap finds it.
func cause2(err error) error {
	if errors.Unwrap(err) != nil {
		return err
	}
	return fmt.Errorf("%w", err)
}

func TestALongErrorTextIsCut(t *testing.T) {
	_, got := stored(t, fmt.Errorf("%s: %w", strings.Repeat("x", MaxText), io.EOF))
	require.Len(t, got.Error(), MaxText)
	require.ErrorIs(t, got, io.EOF)
}

func TestUnknownClassesOfALaterVersionAreJustText(t *testing.T) {
	e := Error{Class: 200, Text: "from the future"}
	require.EqualError(t, e.Err(), "from the future")
	require.NoError(t, errors.Unwrap(e.Err()))
}

func TestErrorOfASentinelDoesNotAllocate(t *testing.T) {
	for _, err := range []error{nil, io.EOF, stream.ErrBackPressured, stream.ErrWouldBlock, syscall.ECONNRESET} {
		var e Error
		require.Zero(t, testing.AllocsPerRun(100, func() { e = ErrorOf(err) }), "%v", err)
		require.Equal(t, err == nil, e.Class == OK)
	}
}
