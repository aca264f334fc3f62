package sqlite

import (
	"encoding/binary"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

type claimKey struct {
	stream int64
	log    logdb.LogNo
	day    logdb.Millis
}

// claim is the tallies of one log and day of a stream, by channel; channel 0 for events.
type claim struct {
	key     claimKey
	tallies map[int64]*logdb.Tally
}

const loadClaim = `SELECT data FROM claim WHERE stream = ? AND log = ? AND day = ?`

// tally returns the claim of a channel on the day of t, to be changed.
func (t *txn) tally(s *stream, log logdb.LogNo, channel int64, at logdb.Millis) (*logdb.Tally, error) {
	key := claimKey{s.id, log, at.Day()}
	c := t.cache.claims[key]
	if c == nil {
		c = &claim{key: key, tallies: map[int64]*logdb.Tally{}}
		var data []byte
		if _, err := t.one([]any{&data}, loadClaim, key.stream, key.log, key.day); err != nil {
			return nil, fmt.Errorf("load the claim of %s on %s: %w", s.ref, key.day, err)
		}
		if err := readClaim(data, func(channel int64, tally logdb.Tally) { c.tallies[channel] = &tally }); err != nil {
			return nil, fmt.Errorf("claim of %s on %s: %w", s.ref, key.day, err)
		}
		t.cache.claims[key] = c
	}
	t.touchClaim(c)
	tally := c.tallies[channel]
	if tally == nil {
		tally = new(logdb.Tally)
		c.tallies[channel] = tally
	}
	return tally, nil
}

// appendClaim writes the tallies of one log and day: channel, count, sums.
func appendClaim(b []byte, c *claim) []byte {
	for channel, tally := range c.tallies {
		if *tally == (logdb.Tally{}) {
			continue
		}
		b = binary.AppendUvarint(b, uint64(channel))
		b = binary.AppendVarint(b, tally.Count)
		b = binary.LittleEndian.AppendUint64(b, tally.Sum[0])
		b = binary.LittleEndian.AppendUint64(b, tally.Sum[1])
	}
	return b
}

func readClaim(data []byte, visit func(int64, logdb.Tally)) error {
	for len(data) > 0 {
		channel, n := binary.Uvarint(data)
		if n <= 0 {
			return chunk.ErrDamaged
		}
		data = data[n:]
		count, n := binary.Varint(data)
		if n <= 0 || len(data) < n+16 {
			return chunk.ErrDamaged
		}
		data = data[n:]
		visit(int64(channel), logdb.Tally{Count: count, Sum: [2]uint64{
			binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:]),
		}})
		data = data[16:]
	}
	return nil
}

const (
	saveClaim = `INSERT INTO claim (stream, log, day, data) VALUES (?, ?, ?, ?) ON CONFLICT (stream, log, day) DO UPDATE SET data = excluded.data`
	dropClaim = `DELETE FROM claim WHERE stream = ? AND log = ? AND day = ?`
)

func (t *txn) saveClaim(c *claim) error {
	var err error
	if b := appendClaim(nil, c); len(b) == 0 {
		_, err = t.exec(dropClaim, c.key.stream, c.key.log, c.key.day)
	} else {
		_, err = t.exec(saveClaim, c.key.stream, c.key.log, c.key.day, b)
	}
	if err != nil {
		return fmt.Errorf("save the claim of %s: %w", c.key.day, err)
	}
	return nil
}
