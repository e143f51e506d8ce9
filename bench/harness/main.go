package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

// Main is a command that measures: parse makes its configuration of the arguments,
// measure does it until Ctrl-C. An error is told and is exit status 1; help is none.
func Main[C any](name string, parse func(args []string) (C, error), measure func(context.Context, C) error) {
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		err = measure(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}
