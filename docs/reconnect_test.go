package docs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
)

// TestPolicyDefaults compares the table of reconnect.md with the code: each field
// is there, with the default that it has.
func TestPolicyDefaults(t *testing.T) {
	said := make(map[string]string)
	for _, row := range page(t, "reconnect.md").Rows {
		said[strings.Trim(row[0], "`")] = row[1]
	}
	policy := reflect.ValueOf(endpoint.DefaultPolicy)
	for i := range policy.NumField() {
		field := policy.Type().Field(i).Name
		require.Equal(t, spell(policy.Field(i).Int()), said[field], field)
	}
	require.Equal(t, fmt.Sprintf("%d at once, then %d a second", endpoint.DefaultHostBurst, endpoint.DefaultHostPerSec),
		said["tries to connect to one host, over the process"])
}

// spell writes a duration, or 0, as the tables do.
func spell(n int64) string {
	switch d := time.Duration(n); {
	case d == 0:
		return "none"
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	default:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	}
}
