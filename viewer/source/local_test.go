package source_test

import (
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/viewer/source"
)

// A journal that came under two names: what the list of channels says is not of rows that were moved under the second one.
func TestChannelsOfNamesThatWereGivenUp(t *testing.T) {
	t.Parallel()
	const volts, day = logdb.ChannelKey("readings.voltage.an"), logdb.Millis(1_772_409_600_000)
	for name, gone := range map[string]bool{"all of it": false, "but for a row that the sender had no more": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := logdbtest.NewModel(logdbtest.Config{})
			put := func(j logdb.JournalID, first logdb.Position, times ...logdb.Millis) *logdb.Page {
				p := &logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: j, Policy: "1"}, JournalEnd: 3}
				h := logdb.History{Channels: []logdb.ChannelKey{volts}, Columns: make([][]float64, 1)}
				for i, at := range times {
					h.Positions, h.Times, h.Columns[0] = append(h.Positions, first+logdb.Position(i)), append(h.Times, at), append(h.Columns[0], 1)
				}
				p.Rows = []logdb.History{h}
				return p
			}
			old := put("aaaaaaaaaaaaaaaaaaaaaaaa00000001", 1, day, day+36_000_000)
			old.JournalEnd = 2
			now := put("aaaaaaaaaaaaaaaaaaaaaaaa00000002", 1, day, day+36_000_000)
			if gone {
				now = put("aaaaaaaaaaaaaaaaaaaaaaaa00000002", 2, day+36_000_000)
				now.Fates = []logdb.FateRange{{First: 1, Last: 1, Fate: logdb.FateNotChosen}}
			}
			now.Entries = []logdb.Entry{{Position: 3, Op: logdb.OpRevise, Target: 2, Time: day + 60_000, Row: &logdb.Row{Channels: []logdb.ChannelKey{volts}, Values: []float64{1}}}}
			for _, p := range []*logdb.Page{old, now} {
				if _, err := s.Accept(t.Context(), *p, logdb.Limits{}); err != nil {
					t.Fatal(err)
				}
			}
			list, err := source.NewLocal(s, nil).Channels(t.Context(), "m")
			if err != nil || len(list) != 1 || list[0].First != day || list[0].Last != day+60_000 {
				t.Errorf("%+v, %v; want one channel from %s to %s", list, err, day, day+60_000)
			}
		})
	}
}
