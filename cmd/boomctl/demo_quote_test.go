package main

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScanQuote(t *testing.T) {
	for _, c := range []struct {
		name, message string
		want          quote
	}{
		{"trade", `{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"65000.12000000","q":"0.5","T":123456789,"m":true,"M":true}`, quote{123456789, 6500012000000}},
		{"best bid", `{"e":"bookTicker","u":1,"s":"XRPUSDT","b":"0.50010000","B":"3","a":"0.5002","A":"1","T":99,"E":1}`, quote{99, 50010000}},
		{"combined", `{"stream":"btcusdt@trade","data":{"p":"1","T":5}}`, quote{5, priceUnit}},
		{"depth has lists", `{"e":"depthUpdate","T":5,"b":[["427.27","0"]],"a":[["427.9","1"]]}`, quote{5, 0}},
		{"answer to a request", `{"result":null,"id":1}`, quote{}},
		{"names in values", `{"s":"T","x":["p","T"],"y":"\"T\":1","T":2,"p":"3"}`, quote{2, 3 * priceUnit}},
		{"escapes", `{"a\"T":1,"\\":2,"T":3}`, quote{3, 0}},
		{"spaces", "{ \"T\" :\t8 ,\n\"p\" : \"2.5\" }", quote{8, 250000000}},
		{"no quotes around the price", `{"price":7.944,"T":1}`, quote{1, 794400000}},
		{"long decimals", `{"p":"0.123456789999"}`, quote{0, 12345678}},
		{"first wins", `{"T":1,"T":2,"p":"1","b":"2"}`, quote{1, priceUnit}},
		{"time is a string", `{"T":"12"}`, quote{}},
		{"time is a fraction", `{"T":1.5}`, quote{}},
		{"time is negative", `{"T":-5}`, quote{}},
		{"time has an exponent", `{"T":5e3}`, quote{}},
		{"time is too long", `{"T":99999999999999999999}`, quote{}},
		{"largest time", `{"T":9223372036854775799}`, quote{9223372036854775799, 0}},
		{"price is too large", `{"p":"922337203685477580799"}`, quote{}},
		{"price is negative", `{"p":"-1.0"}`, quote{}},
		{"price is no number", `{"p":"1.2.3","b":"NaN","price":"1e5"}`, quote{}},
		{"cut short", `{"T":12,"p":"1`, quote{12, priceUnit}},
		{"ends in a key", `{"T`, quote{}},
		{"ends in a colon", `{"T":`, quote{}},
		{"empty", ``, quote{}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, scanQuote([]byte(c.message))) })
	}
}

func TestScanQuoteDoesNotAllocate(t *testing.T) {
	message := []byte(`{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"65000.12000000","q":"0.5","T":123456789,"m":true}`)
	var q quote
	require.Zero(t, testing.AllocsPerRun(100, func() { q = scanQuote(message) }))
	require.NotZero(t, q)
}

func BenchmarkScanQuote(b *testing.B) {
	message := []byte(`{"e":"trade","E":1700000000000,"s":"BTCUSDT","t":7,"p":"65000.12000000","q":"0.5","T":123456789,"m":true,"M":true}`)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		scanQuote(message)
	}
}

// FuzzScanQuote gives the scanner any text, which it must survive, and objects
// made by encoding/json, in which it must find what was put in.
func FuzzScanQuote(f *testing.F) {
	f.Add([]byte(`{"T":1,"p":"2.5","b":[["1","2"]]}`), "s", int64(1), int64(2))
	f.Add([]byte(`{"\"":"\\","T":9`), `T":1,"`, int64(1<<62), int64(3))
	f.Add([]byte(`"T":"p":"b"`), "\\", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, text string, sent, price int64) {
		q := scanQuote(raw)
		if q.sent < 0 || q.price < 0 {
			t.Fatalf("negative: %+v in %q", q, raw)
		}
		if sent < 0 || price < 0 || sent > maxBeforeDigit || price > maxBeforeDigit/priceUnit {
			return
		}
		message, err := json.Marshal(map[string]any{"A": text, "T": sent, "p": strconv.FormatInt(price, 10), "z": text})
		if err != nil {
			t.Fatal(err)
		}
		if q := scanQuote(message); q.sent != sent || q.price != price*priceUnit {
			t.Fatalf("%+v in %s", q, message)
		}
	})
}
