package logdb

import "context"

// Changes is a Source that can tell which records of a range are not what they were when they were first recorded.
type Changes interface {
	// ReadChanged visits, in order of time, at most most records whose newest version is a revise or a withdraw at a time in
	// [first, last), each with all its versions (recordings without samples), and returns how many there are. stream is one
	// that holds changes of the record.
	ReadChanged(ctx context.Context, meter MeterUID, kind Kind, first, last Millis, most int, visit func(stream StreamID, versions []Entry) error) (int, error)
}
