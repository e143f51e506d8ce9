package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecimal(t *testing.T) {
	for text, want := range map[string]int64{
		"65000.01": 6500001000000, "0.00000001": 1, "1": 100000000, "9999999999.99999999": 999999999999999999,
		"": -1, ".5": -1, "1.123456789": -1, "99999999999": -1, "1e5": -1, "-1": -1, "1.2.3": -1,
	} {
		n, ok := decimal([]byte(`{"e":"trade","p":"`+text+`","q":"1"}`), `"p":"`)
		require.Equal(t, want >= 0, ok, text)
		if ok {
			require.Equal(t, want, n, text)
		}
	}
	for _, message := range []string{"", `{"p":"1`, `{"p":"`, `{"q":"1"}`} {
		_, ok := decimal([]byte(message), `"p":"`)
		require.False(t, ok, message)
	}
}
