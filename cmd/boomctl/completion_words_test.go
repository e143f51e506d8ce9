package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// shapes has each shape of flag and argument that completion knows.
type shapes struct {
	Verbose int  `short:"v" type:"counter" help:"More."`
	Global  bool `help:"For all. And more."`

	Run struct {
		Colour bool     `negatable:"" help:"Colours."`
		Mode   string   `enum:"fast,slow" default:"fast" short:"m" help:"How."`
		Idle   string   `suggest:"spin,park(1us)" help:"How idle."`
		Header []string `short:"H" help:"Repeatable."`
		Out    string   `placeholder:"FILE" help:"A file."`
		Dir    string   `placeholder:"DIR" help:"A directory."`
		On     string   `placeholder:"INTERFACE" help:"An interface."`
		Secret bool     `hidden:""`
		What   string   `arg:"" enum:"cats,dogs" help:"What."`
		File   []string `arg:"" help:"Files."`
	} `cmd:"" aliases:"go" help:"Run it."`
	Remote struct {
		Add  struct{} `cmd:"" help:"Add one."`
		Drop struct{} `cmd:"" help:"Drop one."`
	} `cmd:"" help:"Remotes."`
	Inner struct{} `cmd:"" hidden:"" help:"Not for people."`
}

func TestComplete(t *testing.T) {
	root := kong.Must(new(shapes), kong.Name("x")).Model.Node
	const flags = "--help --verbose --global --colour --no-colour --mode --idle --header --out --dir --on"
	for _, c := range []struct{ line, want string }{
		{"", "words run remote"},
		{"r", "words run remote"},
		{"ru", "words run"},
		{"nothing", "words"},
		{"inn", "words"},
		{"-", "words --help --verbose --global"},
		{"--g", "words --global"},
		{"--global --g", "words"},
		{"--verbose --v", "words --verbose"},
		{"-vv r", "words run remote"},
		{"remote ", "words add drop"},
		{"remote a", "words add"},
		{"remote add ", "words --help --verbose --global"},
		{"run ", "words cats dogs"},
		{"go d", "words dogs"},
		{"run --", "words " + flags},
		{"run --co", "words --colour"},
		{"run --no", "words --no-colour"},
		{"run --no-colour --co", "words"},
		{"run --mode ", "words fast slow"},
		{"run --mode s", "words slow"},
		{"run --mode=s", "words --mode=slow"},
		{"run --mode=", "words --mode=fast --mode=slow"},
		{"run -m ", "words fast slow"},
		{"run -vm ", "words fast slow"},
		{"run -mslow ", "words cats dogs"},
		{"run --idle p", "words park(1us)"},
		{"run --colour=", "words --colour=true --colour=false"},
		{"run --header a --hea", "words --header"},
		{"run -H 'a:_b' d", "words dogs"},
		{"run --header run ", "words cats dogs"},
		{"run --out ", "files"},
		{"run --out=/tm", "files"},
		{"run --dir /", "directories"},
		{"run --out --mode ", "words cats dogs"}, // --mode was the value
		{"run cats ", "files"},
		{"run cats a b ", "files"},
		{"run cats a --mode ", "words fast slow"},
		{"run -- --m", "words"},
		{"run -- ca", "words cats"},
		{"run --secr", "words"},
		{"run --nonsense=1 --nonsense d", "words dogs"},
		{"run - ", "files"},
		{"run -\u00e9 d", "words dogs"},
	} {
		got, found := complete(root, strings.Split(c.line, " "))
		answer := string(got)
		for _, f := range found {
			answer += " " + f.value
		}
		require.Equal(t, c.want, answer, "%q", c.line)
	}
}

func TestCompleteInterfaces(t *testing.T) {
	root := kong.Must(new(shapes), kong.Name("x")).Model.Node
	all := interfaces()
	require.NotEmpty(t, all)
	_, found := complete(root, []string{"run", "--on="})
	for i, c := range found {
		require.Equal(t, "--on="+all[i], c.value)
	}
	require.Len(t, found, len(all))
}

func TestCompleteSaysWhatItIs(t *testing.T) {
	root := kong.Must(new(shapes), kong.Name("x")).Model.Node
	_, found := complete(root, []string{"--g"})
	require.Equal(t, []candidate{{"--global", "For all"}}, found)
	_, found = complete(root, []string{"run", "--no-c"})
	require.Equal(t, []candidate{{"--no-colour", "Not: Colours"}}, found)
}

func FuzzComplete(f *testing.F) {
	root := newParser(new(cli)).Model.Node
	for _, line := range []string{"", "connect\x00--cacert=", "connect\x00-H\x00", "demo\x00--\x00-", "-\xff", "--=\x00="} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, "\x00")
		got, found := complete(root, words)
		if got != completeWords && len(found) > 0 {
			t.Fatal("candidates for files")
		}
		for _, c := range found {
			if !strings.HasPrefix(c.value, words[len(words)-1]) {
				t.Fatalf("%q is no completion of %q", c.value, words)
			}
		}
	})
}

func TestCompleteCommand(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--", "comp"}, "words\ncompletion\tPrint what makes a shell complete commands, flags and values\n"},
		{[]string{"--", "connect", "--cacert", ""}, "files\n"},
		{[]string{"--", "completion", ""}, "words\nbash\nzsh\nfish\n"},
	} {
		var out bytes.Buffer
		parser := newParser(new(cli))
		parser.Stdout = &out
		ctx, err := parser.Parse(append([]string{"__complete"}, c.args...))
		require.NoError(t, err)
		require.NoError(t, ctx.Run())
		require.Equal(t, c.want, out.String())
	}
}
