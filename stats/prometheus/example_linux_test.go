package prometheus_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stats/prometheus"
)

// A process that shows its own counters. The handler shows those of others as well.
func Example() {
	tmp, err := os.MkdirTemp("", "boomnet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	file, err := stats.Create(stats.FileConfig{Dir: filepath.Join(tmp, "counters"), Name: "feed"})
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	gaps := file.NewBlock("book", "btcusdt", "").Counter("gaps", "gaps", "sequence numbers missed")
	gaps.Add(2)

	exporter, err := prometheus.New(prometheus.Config{File: file.Path()})
	if err != nil {
		log.Fatal(err)
	}
	defer exporter.Close()
	mux := http.NewServeMux()
	mux.Handle("/metrics", exporter) // http.ListenAndServe("127.0.0.1:9500", mux)

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "gaps") {
			fmt.Print(strings.Replace(line, fmt.Sprint(os.Getpid()), "4711", 1))
		}
	}
	// Output:
	// # HELP boomnet_book_gaps_total sequence numbers missed
	// # TYPE boomnet_book_gaps_total counter
	// boomnet_book_gaps_total{process="feed",pid="4711",name="btcusdt"} 2
}
