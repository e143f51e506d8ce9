package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// replayCmd is `boomctl replay`: a recording through the library once more, or served
// to clients (replay_serve.go).
type replayCmd struct {
	captureFiles
	Speed *speed `placeholder:"N" help:"How many times faster than recorded; 0 or max: as fast as it goes. Default max, with --serve 1."`
	Step  bool   `help:"Wait for Enter before each turn, and print what happens in it. A number plays so many, q ends."`
	Quiet bool   `short:"q" help:"Print no states and losses, only the result."`
	JSON  bool   `name:"json" help:"Print the result as JSON."`

	replayServe `embed:""`
}

// Help is the long help.
func (*replayCmd) Help() string {
	return `Plays the recording into a reactor as one that runs: its clock, randomness, connections and reads are the recorded ones. In place of each recorded endpoint stands one that connects as it did, counts what comes, and sends what was sent in the turns in which messages came. What is written is compared with the recording: a divergence says that this version of the library does something else than the one that was recorded, or that the recorded program wrote by other means, such as a timer.

To replay through an endpoint of your own, give its reactor a tape.Player (reactor.Config.Replay).

With --serve the recorded messages are served instead, at their times, as boomctl exchange --feed does.`
}

func (*replayCmd) about() about {
	return about{
		examples: []example{
			{"Whether it does the same again.", "boomctl replay feed.pcapng"},
			{"Ten times as fast, with what happens on the way.", "boomctl replay feed.pcapng --speed 10"},
			{"Turn by turn.", "boomctl replay feed.pcapng --step"},
			{"Serve it to clients at ws://127.0.0.1:9443/feed, over and over.", "boomctl replay feed.pcapng --serve 127.0.0.1:9443 --loop"},
		},
		statuses: []entry{
			{"0", "The same happened again."},
			{"1", "The recording could not be read, or not be replayed."},
			{"2", "The command line is wrong."},
			{"3", "There were divergences."},
		},
	}
}

// exitDiverged is the exit status of a replay in which something else happened.
const exitDiverged = 3

// Validate is called by kong; its errors are usage errors.
func (c *replayCmd) Validate() error {
	if c.Serve == "" {
		return c.replayServe.unused()
	}
	if c.Step || c.JSON {
		return errors.New("--step and --json are not for --serve")
	}
	return nil
}

// Run is called by kong.
func (c *replayCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	f, err := c.open()
	if err == nil && c.Serve != "" {
		err = c.serve(ctx, f)
	} else if err == nil {
		err = c.replay(ctx, f)
	}
	if _, ok := errors.AsType[exitStatus](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("replay: %w", err)
}

// replayResult is what has happened.
type replayResult struct {
	Reactor     string           `json:"reactor"`
	Turns       uint64           `json:"turns"`
	Recorded    time.Duration    `json:"recorded_ns"` // how long it took then
	Took        time.Duration    `json:"took_ns"`
	Complete    bool             `json:"complete"`
	Interrupted bool             `json:"interrupted,omitempty"`
	Truncated   string           `json:"truncated,omitempty"`
	Endpoints   []replayEndpoint `json:"endpoints"`
	LeftOut     []string         `json:"left_out,omitempty"` // endpoints that speak no WebSocket
	Divergences int              `json:"divergences"`
	First       []string         `json:"first_divergences,omitempty"`
}

type replayEndpoint struct {
	Name     string `json:"name"`
	Opened   int    `json:"opened"`
	Losses   int    `json:"losses"`
	Messages int64  `json:"messages"`
	Bytes    int64  `json:"bytes"`
	Sent     int64  `json:"sent"`
}

func (c *replayCmd) replay(ctx context.Context, f *capture.File) error {
	p := newProgress(os.Stderr, sizes(f.Info().Files))
	rec := &watched{File: f, ctx: ctx, progress: p}
	defer p.end()
	speed := 0.0 // as fast as it goes
	if c.Speed != nil && !math.IsInf(float64(*c.Speed), 1) && !c.Step {
		speed = float64(*c.Speed)
	}
	player, err := tape.NewPlayer(rec, tape.PlayConfig{Speed: speed})
	if err != nil {
		return err
	}
	result := &replayResult{Complete: player.Complete()}
	all, others, err := recording.StandIns(rec, player.Now)
	if err != nil {
		return err
	}
	result.LeftOut = others
	r, err := reactor.New(reactor.Config{Replay: player, Seams: endpoint.Seams{Observer: func(e endpoint.Event) {
		if !c.Quiet && !c.JSON {
			p.end()
			printReplayEvent(os.Stdout, player.Wall(), e)
		}
	}}})
	if err != nil {
		return err
	}
	result.Reactor = r.Name()
	for _, s := range all {
		if c.Step {
			s.OnMessage = func(m ws.Message) { fmt.Printf("  %s: %s %s\n", s.Name, m.Op, printable(m.Payload)) }
		}
		if _, err := reactor.Register(r, s); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	first, began := player.Now(), time.Now()
	if c.Step {
		err = stepThrough(ctx, os.Stdin, os.Stdout, r, player)
	} else {
		defer context.AfterFunc(ctx, player.Abort)()
		err = r.Run(context.WithoutCancel(ctx))
	}
	p.end()
	if err != nil && !errors.Is(err, tape.ErrEnd) && !errors.Is(err, tape.ErrAborted) && !errors.Is(err, errInterrupted) {
		return err
	}
	result.Interrupted = ctx.Err() != nil || errors.Is(err, tape.ErrAborted)
	result.Took, result.Recorded = time.Since(began), time.Duration(player.Now()-first)
	result.Turns = uint64(r.Stats().Turns)
	for _, s := range all {
		result.Endpoints = append(result.Endpoints, replayEndpoint{s.Name, s.Opened, s.Losses, s.Messages, s.Bytes, s.Sent})
	}
	found, total := player.Divergences()
	result.Divergences = total
	for _, d := range found {
		result.First = append(result.First, d.Error())
	}
	return c.tell(result)
}

// tell prints the result.
func (c *replayCmd) tell(r *replayResult) error {
	if c.JSON {
		if err := printJSON(r); err != nil {
			return err
		}
	} else {
		out := canvas()
		drawReplay(out, r)
		if _, err := io.WriteString(os.Stdout, out.String()); err != nil {
			return err
		}
	}
	if r.Divergences > 0 {
		return exitStatus(exitDiverged)
	}
	return nil
}

// drawReplay draws the result.
func drawReplay(c *term.Canvas, r *replayResult) {
	c.Put(term.Bold, " "+r.Reactor).Put(term.Dim, fmt.Sprintf("  %s turns, %s of then in %s", term.Count(int64(r.Turns)), term.Duration(r.Recorded), term.Duration(r.Took))).End()
	for _, e := range r.Endpoints {
		c.Put(term.Plain, fmt.Sprintf(" %s: %s messages, %s; %s sent; opened %d times, lost %d times", e.Name, term.Count(e.Messages), term.Bytes(e.Bytes),
			term.Count(e.Sent), e.Opened, e.Losses)).End()
	}
	for _, name := range r.LeftOut {
		c.Put(term.Yellow, " "+name+" is left out: it speaks no WebSocket, or never did").End()
	}
	switch {
	case r.Interrupted:
		c.Put(term.Yellow, " interrupted").End()
	case !r.Complete:
		c.Put(term.Yellow, " the recording does not go to the end of the reactor").End()
	}
	if r.Divergences == 0 {
		c.Put(term.Green, " no divergence").End()
		return
	}
	c.Put(term.Red, fmt.Sprintf(" %s", plural(r.Divergences, "divergence"))).End()
	const most = 10
	for _, d := range r.First[:min(len(r.First), most)] {
		c.PutWhole(term.Plain, "   "+d).End()
	}
	if n := r.Divergences - most; n > 0 {
		c.Put(term.Dim, fmt.Sprintf("   and %s more", term.Count(int64(n)))).End()
	}
}

// printReplayEvent prints a state or a loss, with the time of then.
func printReplayEvent(w io.Writer, at time.Time, e endpoint.Event) {
	line := fmt.Sprintf("%s %s: %v", at.Format(timeLayout), e.Name, e.State)
	if e.Loss != nil {
		line += ": " + e.Loss.Error()
	}
	_, _ = fmt.Fprintln(w, oneLine(line)) // the result's write tells
}

// stepThrough plays turn by turn, as many as each line of in says.
func stepThrough(ctx context.Context, in io.Reader, out io.Writer, r *reactor.Reactor, p *tape.Player) (err error) {
	lines := bufio.NewScanner(in)
	fmt.Fprintf(out, "Enter: a turn, N: so many, q: end.\n")
	for err == nil && ctx.Err() == nil && lines.Scan() {
		n := 1
		switch text := strings.TrimSpace(lines.Text()); text {
		case "":
		case "q":
			p.Abort()
			return errors.Join(r.Close(), lines.Err())
		default:
			if n, err = strconv.Atoi(text); err != nil || n < 1 {
				fmt.Fprintf(out, "%q is neither a number from 1, nor q\n", text)
				n, err = 0, nil
			}
		}
		for ; n > 0 && err == nil && ctx.Err() == nil; n-- {
			if _, err = r.Poll(); err == nil {
				_, err = fmt.Fprintf(out, "%s turn %d\n", p.Wall().Format(timeLayout), r.Stats().Turns)
			}
		}
	}
	if errors.Is(err, tape.ErrEnd) {
		fmt.Fprintln(out, "end of the recording")
	} else {
		p.Abort()
	}
	return errors.Join(err, r.Close(), lines.Err())
}
