package chunk_test

import (
	"math/rand/v2"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

func week(name string) chunk.Points {
	n := 10_080
	rnd := rand.New(rand.NewPCG(1, 2))
	p := chunk.Points{Times: times(rnd, n)["regular"], Positions: make([]logdb.Position, n), Values: columns(rnd, n)[name]}
	for i := range p.Positions {
		p.Positions[i] = logdb.Position(1 + i)
	}
	return p
}

func BenchmarkAppendPoints(b *testing.B) {
	for _, name := range []string{"two decimals", "five decimals", "single"} {
		b.Run(name, func(b *testing.B) {
			c, p := newCodec(b), week(name)
			var data []byte
			for b.Loop() {
				data, _ = c.AppendPoints(data[:0], p)
			}
			b.ReportMetric(float64(p.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
			b.ReportMetric(float64(len(data))/float64(p.Len()), "B/point")
		})
	}
}

func BenchmarkPoints(b *testing.B) {
	for _, name := range []string{"two decimals", "five decimals", "single"} {
		b.Run(name, func(b *testing.B) {
			c, p := newCodec(b), week(name)
			data, err := c.AppendPoints(nil, p)
			if err != nil {
				b.Fatal(err)
			}
			var block logdb.Block
			for b.Loop() {
				if err := c.Points(data, &block); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(p.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
}

func BenchmarkAccumulate(b *testing.B) {
	c, p := newCodec(b), week("two decimals")
	var block logdb.Block
	c.Block(p, &block)
	var a chunk.Accumulator
	for b.Loop() {
		a.Reset()
		for i := 0; i < block.Len(); i += 60 {
			a.AddBlock(&block, i, i+60)
		}
	}
	b.ReportMetric(float64(p.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}
