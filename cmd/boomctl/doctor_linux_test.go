package main

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/doctor"
)

// This machine, whatever it is, has something to say to each check.
func TestDoctorOfThisMachine(t *testing.T) {
	out, complaint, err := boomctl(t, "doctor", "--json")
	require.Contains(t, []int{0, doctorBad}, status(t, err), complaint)
	var r doctor.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Len(t, r.Findings, len(doctor.Checks()))
	for _, f := range r.Findings {
		require.NotEmpty(t, f.Seen)
	}
	out, _, err = boomctl(t, "doctor", "--json", "--only", "open-files,mask", "--pid", strconv.Itoa(os.Getpid()))
	require.NoError(t, json.Unmarshal([]byte(out), &r), err)
	require.NotEqual(t, doctor.Unknown, r.Findings[0].Verdict)
}
