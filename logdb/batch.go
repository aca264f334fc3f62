package logdb

import "fmt"

// Check reports the first rule that the batch breaks.
func (b *Batch) Check() error {
	if b.Meter == "" || !b.Kind.Valid() {
		return fmt.Errorf("%w: a batch for meter %q and kind %d", ErrInvalid, b.Meter, b.Kind)
	}
	if len(b.Rows) > 0 && b.Kind != KindHistorical {
		return fmt.Errorf("%w: rows in a batch of kind %s", ErrInvalid, b.Kind)
	}
	n := len(b.Entries)
	for i := range b.Rows {
		if err := b.Rows[i].Check(); err != nil {
			return err
		}
		if b.Rows[i].Positions != nil {
			return fmt.Errorf("%w: rows of a batch have positions", ErrInvalid)
		}
		n += b.Rows[i].Len()
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		if err := e.Check(b.Kind); err != nil {
			return err
		}
		if e.Position != 0 {
			return fmt.Errorf("%w: entry %d of a batch has a position", ErrInvalid, i)
		}
	}
	if b.Raw != nil && len(b.Raw) != n {
		return fmt.Errorf("%w: %d raw records for %d entries", ErrInvalid, len(b.Raw), n)
	}
	return nil
}
