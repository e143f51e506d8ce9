package docs

// prelude is what the snippets of the pages may use without declaring it. A name
// that a snippet declares itself is its own.
const prelude = `
var (
	ctx    context.Context
	r      *reactor.Reactor
	c      *ws.Conn
	s      stream.Stream
	buf    []byte
	order  []byte
	url    string
	feed   *Feed
	orders *Orders
	stub   *dns.Stub
	file   *stats.File
	err    error
)

type Feed struct {
	endpoint.WebSocket
	messages int
}

func (f *Feed) OnData(c *ws.Conn) error { return nil }

type Orders struct {
	endpoint.WebSocket
	rejected int
}

func (o *Orders) OnData(c *ws.Conn) error { return nil }
`
