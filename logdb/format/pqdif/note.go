package pqdif

import "fmt"

// Note names something that was not understood. Equal notes are counted once.
type Note struct {
	Record int   // number of the record, 0 is the container
	Offset int64 // in the file; of the record when its body is compressed
	Text   string
	Count  int
}

// String prints n for a report.
func (n Note) String() string {
	s := fmt.Sprintf("record %d at offset %d: %s", n.Record, n.Offset, n.Text)
	if n.Count > 1 {
		s += fmt.Sprintf(" (%d times)", n.Count)
	}
	return s
}

// maxNotes bounds the distinct notes of one file; the last one counts the rest.
const maxNotes = 500

type notes struct {
	list  []Note
	index map[string]int
}

func (n *notes) add(record int, offset int64, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(n.list) >= maxNotes-1 {
		if _, ok := n.index[text]; !ok {
			text = "more was not understood"
		}
	}
	if i, ok := n.index[text]; ok {
		n.list[i].Count++
		return
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[text] = len(n.list)
	n.list = append(n.list, Note{record, offset, text, 1})
}
