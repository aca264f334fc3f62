package logdb_test

import (
	"reflect"
	"testing"

	"metermanager/logdb"
)

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
