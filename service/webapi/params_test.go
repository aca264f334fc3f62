package webapi_test

import "testing"

// TestUnknownParametersAreNamed: a misspelt filter must not answer everything.
func TestUnknownParametersAreNamed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for path, field := range map[string]string{
		"/logs/historical?channel=readings.voltage.an": "channel", "/logs/historical?bogus=1": "bogus", "/logs/pq?channels=readings.voltage.an": "channels",
		"/logs/pq?buckets=5": "buckets", "/logs/system?channel=readings.voltage.an": "channel", "/logs/waveform?limit_id=1": "limit_id", "/logs/pq?code=1": "code",
		"/limit-counts?form=1": "form", "/channels?zone=utc": "zone", "?x=1": "x", "/streams/pq?stream=": "stream", "/logs/waveform/1@x?raw=true": "raw",
	} {
		r := s.call(s.admin, "GET", s.meterPath(path), "")
		s.refused(r, 400, "invalid")
		if got := r.json(t)["field"]; got != field {
			t.Errorf("%s: field %v: %s", path, got, r.body)
		}
	}
	if r := s.call("", "GET", "/?utm=1", ""); r.status != 200 {
		t.Errorf("a page with a parameter: status %d", r.status)
	}
}
