//go:build unix

package peers_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

const (
	channelCount = 32
	minute       = logdb.Millis(60_000)
	rowsOfPage   = 1440
	start        = logdb.Millis(1_767_225_600_000) // 2026-01-01
)

// page is one day of one meter: what a meter gives, with 0 to 5 decimals and slow changes.
type page struct {
	meter, day int
	times      []logdb.Millis
	columns    [][]float64
}

func channels() []logdb.ChannelKey {
	var out []logdb.ChannelKey
	for _, c := range logdb.Catalogue()[:channelCount] {
		out = append(out, c.Key)
	}
	return out
}

// makePages makes the days of a meter in order.
func makePages(meter, days int, visit func(*page) error) error {
	rnd := rand.New(rand.NewPCG(uint64(meter), 7))
	state := make([]float64, channelCount)
	for c := range state {
		state[c] = 120 * scaleOf(c)
	}
	for d := range days {
		p := &page{meter: meter, day: d, columns: make([][]float64, channelCount)}
		for i := range rowsOfPage {
			p.times = append(p.times, start+(logdb.Millis(d)*rowsOfPage+logdb.Millis(i))*minute)
		}
		for c := range p.columns {
			p.columns[c] = make([]float64, rowsOfPage)
			for i := range p.columns[c] {
				state[c] += float64(rnd.IntN(7) - 3)
				p.columns[c][i] = state[c] / scaleOf(c)
			}
		}
		if err := visit(p); err != nil {
			return err
		}
	}
	return nil
}

func scaleOf(c int) float64 { return []float64{1, 10, 100, 1000, 1e5}[c%5] }

// ours is the page as a manager uploads it: with positions, so that every one is checked for repeats.
func (p *page) ours(uid logdb.MeterUID) []byte {
	h := logdb.History{Channels: channels(), Times: p.times, Columns: p.columns}
	for i := range p.times {
		h.Positions = append(h.Positions, logdb.Position(p.day*rowsOfPage+i+1))
	}
	stream := logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", p.meter+1)), Policy: "1"}
	return api.AppendPage(nil, &logdb.Page{
		Meter: uid, Kind: logdb.KindHistorical, Stream: stream, Rows: []logdb.History{h}, JournalEnd: h.Positions[len(h.Positions)-1],
	}, api.DialectJSON)
}

// lines is the page in InfluxDB's line protocol, which VictoriaMetrics takes too.
func (p *page) lines(out []byte) []byte {
	for i, at := range p.times {
		out = append(out, "m,meter=m"...)
		out = strconv.AppendInt(out, int64(p.meter), 10)
		for c := range p.columns {
			out = append(out, " ,"[min(c, 1)])
			out = append(out, 'f')
			out = strconv.AppendInt(out, int64(c), 10)
			out = append(out, '=')
			out = strconv.AppendFloat(out, p.columns[c][i], 'f', -1, 64)
		}
		out = append(out, ' ')
		out = strconv.AppendInt(out, int64(at), 10)
		out = append(out, '\n')
	}
	return out
}

// copyHead and copyTail stand around rows of PostgreSQL's binary COPY.
var copyHead = append([]byte("PGCOPY\n\xff\r\n\x00"), 0, 0, 0, 0, 0, 0, 0, 0)

// copied is the page as rows of a wide table: meter, time in ms, values.
func (p *page) copied() []byte {
	out := append([]byte{}, copyHead...)
	for i, at := range p.times {
		out = binary.BigEndian.AppendUint16(out, channelCount+2)
		out = binary.BigEndian.AppendUint32(out, 4)
		out = binary.BigEndian.AppendUint32(out, uint32(p.meter))
		out = binary.BigEndian.AppendUint32(out, 8)
		out = binary.BigEndian.AppendUint64(out, uint64(at))
		for c := range p.columns {
			out = binary.BigEndian.AppendUint32(out, 8)
			out = binary.BigEndian.AppendUint64(out, math.Float64bits(p.columns[c][i]))
		}
	}
	return append(out, 0xff, 0xff)
}
