//go:build ignore

// Checkdemo reads what `boomctl demo --json` printed and says whether the demo
// did its work: the last object is final and each of the three symbols has had
// messages.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

type report struct {
	Final   bool `json:"final"`
	Symbols []struct {
		Symbol   string `json:"symbol"`
		Messages int64  `json:"messages"`
	} `json:"symbols"`
}

func main() {
	if err := check(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func check(r io.Reader) error {
	var last report
	objects := 0
	for d := json.NewDecoder(r); ; objects++ {
		var next report
		if err := d.Decode(&next); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("after %d objects: %w", objects, err)
		}
		last = next
	}
	if !last.Final {
		return fmt.Errorf("none of %d objects is the final one", objects)
	}
	if len(last.Symbols) != 3 {
		return fmt.Errorf("%d symbols, want 3", len(last.Symbols))
	}
	for _, s := range last.Symbols {
		if s.Messages <= 0 {
			return fmt.Errorf("%s had no message", s.Symbol)
		}
		fmt.Printf("%-8s %8d messages\n", s.Symbol, s.Messages)
	}
	return nil
}
