package docs

// What the programs of the pages import: go.mod and go.sum must know of it.
import (
	_ "github.com/coder/websocket"
	_ "github.com/gorilla/websocket"
	_ "github.com/lxzan/gws"
	_ "golang.org/x/sys/unix"

	_ "github.com/boomnet-go/boomnet/capture"
	_ "github.com/boomnet-go/boomnet/reactor"
	_ "github.com/boomnet-go/boomnet/stats"
)
