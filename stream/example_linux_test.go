package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/stream"
)

// A stream outside a reactor, in a script that may wait.
func ExampleOptions_Dial() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.WriteString(c, "welcome")
			_ = c.Close()
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := new(stream.Options).Dial(ctx, "tcp://"+l.Addr().String())
	if err != nil {
		panic(err)
	}
	defer s.Close()
	for p := make([]byte, 4096); ; {
		n, err := s.Read(p)
		switch err {
		case nil:
			fmt.Printf("%s\n", p[:n])
		case stream.ErrWouldBlock:
			if err := s.(stream.Waiter).Wait(ctx, false); err != nil {
				panic(err)
			}
		default:
			fmt.Println(err)
			return
		}
	}
	// Output:
	// welcome
	// EOF
}

// What went wrong, and where.
func ExampleDialError() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	target := "tcp://" + l.Addr().String()
	_ = l.Close() // nobody listens any more

	_, err = new(stream.Options).Dial(context.Background(), target)
	var failed *stream.DialError
	fmt.Println(errors.As(err, &failed) && failed.Phase == stream.Connecting)
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
	// Output:
	// true
	// true
}
