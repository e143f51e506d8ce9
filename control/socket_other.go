//go:build !linux

package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
)

type socket struct {
	*net.UnixListener
	path string
}

func openSocket(string, int) (*socket, error) { return nil, unsupported() }
func (*socket) close() error                  { return nil }

func peerOf(*net.UnixConn) (peer, error)             { return peer{}, unsupported() }
func dial(context.Context, string) (net.Conn, error) { return nil, unsupported() }

func unsupported() error {
	return fmt.Errorf("control: needs Linux, for SO_PEERCRED, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
