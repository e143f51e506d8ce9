package meter

// Recorded is the line that client-capture prints: what a recorded feed has cost.
type Recorded struct {
	Messages int     `json:"msgs"`  // of the part that was measured
	Bytes    int64   `json:"bytes"` // of their payload
	Rate     float64 `json:"mb_per_s"`
	Reactor  float64 `json:"reactor_cpu_ns_per_msg"` // of the reactor's thread
	Others   float64 `json:"others_cpu_ns_per_msg"`  // of all other threads: the writer, the runtime
	Busy     float64 `json:"reactor_busy"`           // share of the reactor's thread in the time
	Reads    float64 `json:"msgs_per_read"`
	Allocs   int64   `json:"allocs"` // of the whole process
	// Of the whole run.
	LostRecords uint64 `json:"lost_records"` // in the ring
	LostBytes   int64  `json:"lost_bytes"`   // of them, where the client itself was the writer
	Unwritten   uint64 `json:"unwritten"`    // records that the disk would not take
	Written     uint64 `json:"written"`      // bytes on the disk
	// Accounted is whether what was recorded and what was said to be lost are together what was received.
	Accounted bool `json:"accounted"`
}
