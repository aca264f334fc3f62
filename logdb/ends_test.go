package logdb_test

import (
	"reflect"
	"testing"

	"metermanager/logdb"
)

func TestEndsContradict(t *testing.T) {
	t.Parallel()
	known := logdb.Ends{{Position: 3, Chain: logdb.Digest{1}}, {Position: 5}, {Position: 7}, {Position: 7, Chain: logdb.Digest{2}}}
	for _, c := range []struct {
		what  string
		p     logdb.Position
		chain logdb.Digest
		want  bool
	}{
		{"the same", 3, logdb.Digest{1}, false},
		{"another chain", 3, logdb.Digest{9}, true},
		{"a chain that is not stated", 3, logdb.Digest{}, false},
		{"a position that is not known", 4, logdb.Digest{9}, false},
		{"a position of which the chain was never stated", 5, logdb.Digest{9}, false},
		{"one of which it was stated later", 7, logdb.Digest{9}, true},
		{"as it was stated later", 7, logdb.Digest{2}, false},
		{"nothing", 0, logdb.Digest{9}, false},
	} {
		if got := known.Contradict(c.p, c.chain); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func FuzzEnds(f *testing.F) {
	some := logdb.Ends{{Position: 3, Chain: logdb.Digest{1}}, {Position: 300, Chain: logdb.Digest{2}}}
	data, err := some.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{})
	f.Add(data[:len(data)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		var e logdb.Ends
		if e.UnmarshalBinary(data) != nil {
			return
		}
		again, err := e.AppendBinary(nil)
		var got logdb.Ends
		if err != nil || got.UnmarshalBinary(again) != nil || !reflect.DeepEqual(got, e) || len(e) > logdb.EndsKept {
			t.Errorf("%v became %v, %v", e, got, err)
		}
	})
}
