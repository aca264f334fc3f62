// Package chunk is the column codec of the log database: it turns points of a series, rows of a
// page, roll-ups and waveform samples into few bytes and back, bit for bit. DESIGN.md describes
// the layout.
//
// Owns: the bytes of head pages, chunks, roll-ups and samples; their version and checksum.
// Does not own: where blobs are kept, which points belong together.
// May import: logdb, parquet-go/encoding/delta, klauspost/compress/zstd.
// Start reading at: chunk.go (Codec), then points.go and values.go.
package chunk
