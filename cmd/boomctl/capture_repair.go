package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/internal/term"
)

// captureRepairCmd is `boomctl capture repair`.
type captureRepairCmd struct {
	File   string `arg:"" placeholder:"FILE" help:"File to repair: any pcapng or pcap, compressed or not."`
	Output string `short:"o" placeholder:"FILE" help:"Write what is whole to this new file, not compressed, and leave FILE as it is. Default: FILE itself is changed."`
}

// Help is the long help.
func (*captureRepairCmd) Help() string {
	return `What is behind the last whole record is cut off, and blocks whose inside is wrong are left out. A file that is whole is not touched. One that is still being written is refused.`
}

func (*captureRepairCmd) about() about {
	return about{examples: []example{
		{"In place.", "boomctl capture repair feed.pcapng"},
		{"Beside it.", "boomctl capture repair feed.pcapng -o whole.pcapng"},
	}}
}

// Run is called by kong.
func (c *captureRepairCmd) Run() (err error) {
	var report capture.Report
	if c.Output == "" {
		report, err = capture.Repair(c.File, nil)
	} else {
		report, err = c.beside()
	}
	if err != nil {
		return fmt.Errorf("capture repair: %w", err)
	}
	if !report.Damaged() {
		fmt.Printf("%s is whole: %s, %s\n", c.File, plural(report.Blocks, "block"), term.Bytes(report.Whole))
		return nil
	}
	if report.Why != nil {
		fmt.Printf("%s was cut at byte %d: %d bytes behind it are gone: %v\n", c.File, report.Whole, report.Cut, report.Why)
	}
	for _, b := range report.Bad {
		fmt.Printf("%s: the block of %d bytes at byte %d is left out: %v\n", c.File, b.Size, b.Offset, b.Why)
	}
	fmt.Printf("%s, %s stay\n", plural(report.Blocks, "block"), term.Bytes(report.Whole))
	return nil
}

// beside writes what is whole to a new file.
func (c *captureRepairCmd) beside() (report capture.Report, err error) {
	f, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return report, err
	}
	report, err = capture.Repair(c.File, f)
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(c.Output))
	}
	return report, err
}
