package exchange

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// controlPath is where a server can be asked and told over plain HTTP, so that it
// can run in a process of its own. Only clients on the same machine are heard.
//
//	GET /control/stats                                Stats as JSON
//	GET /control/connections                          open WebSockets as JSON
//	GET /control/fault?fault=KIND&…&id=N              on one connection
//	GET /control/fault?fault=KIND&…&remote=HOST:PORT  on one connection
//	GET /control/fault?fault=KIND&…&next=N            on the next N upgrades
//	GET /control/fault?fault=KIND&…                   on all open connections
//
// The query of a fault is that of ParseFault. The answer is {"selected":N}.
const controlPath = "/control/"

func (s *Server) control(u *url.URL, from net.Addr) *refusal {
	if a, ok := from.(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return refuse(http.StatusForbidden, "%s is only served to this machine", controlPath)
	}
	switch u.Path {
	case controlPath + "stats":
		return answerJSON(s.Stats())
	case controlPath + "connections":
		return answerJSON(s.Connections())
	case controlPath + "fault":
		f, to, err := parseInjection(u.Query())
		if err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
		n, err := s.Inject(f, to)
		if err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
		return answerJSON(map[string]int{"selected": n})
	}
	return refuse(http.StatusNotFound, "no such path: %s", u.Path)
}

func parseInjection(q url.Values) (f Fault, to Selector, err error) {
	if f, err = ParseFault(q); err != nil {
		return f, to, err
	}
	to.Remote = q.Get("remote")
	if v := q.Get("next"); v != "" {
		if to.Next, err = strconv.Atoi(v); err != nil {
			return f, to, err
		}
	}
	if v := q.Get("id"); v != "" {
		to.ID, err = strconv.ParseUint(v, 10, 64)
	}
	return f, to, err
}

func answerJSON(v any) *refusal {
	b, err := json.Marshal(v)
	if err != nil {
		return refuse(http.StatusInternalServerError, "%v", err)
	}
	return &refusal{
		status: http.StatusOK,
		header: http.Header{"Content-Type": {"application/json"}},
		body:   string(b),
	}
}
