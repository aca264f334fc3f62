package oracle_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// exchange is a request and its answer, as the manual prints them.
type exchange struct{ request, answer []byte }

// readTrace reads a conversation. FF*12 is a byte (or word) so many times; MINUTES the records.
func readTrace(t *testing.T, name string) []exchange {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	minutes := ""
	for i := range 13 {
		minutes += fmt.Sprintf("0C071710%02X00 42FAAACF 42FAAD18 42FAA9A8", 0x16+i)
	}
	var out []exchange
	for _, line := range strings.Split(string(text), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		if mark != ">" && mark != "<" {
			continue
		}
		var b []byte
		for _, word := range strings.Fields(strings.ReplaceAll(rest, "MINUTES", minutes)) {
			digits, times, many := strings.Cut(word, "*")
			n := 1
			if many {
				if n, err = strconv.Atoi(times); err != nil {
					t.Fatal(err)
				}
			}
			part, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			b = append(b, bytes.Repeat(part, n)...)
		}
		if mark == ">" {
			out = append(out, exchange{request: b})
			continue
		}
		if b[0] == 3 && int(b[1]) != len(b)-2 {
			t.Fatalf("%s: %d bytes, the byte count says %d", line, len(b)-2, b[1])
		}
		out[len(out)-1].answer = b
	}
	return out
}

// replay plays the meter's part of a conversation once; done tells how far it came.
func replay(t *testing.T, talk []exchange) (addr string, done func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := make(chan int, 1)
	go func() {
		at := 0
		defer func() { n <- at }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var head [7]byte
		for {
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			pdu := make([]byte, binary.BigEndian.Uint16(head[4:])-1)
			if _, err := io.ReadFull(c, pdu); err != nil {
				return
			}
			if at == len(talk) || !bytes.Equal(pdu, talk[at].request) {
				t.Errorf("request %d is % X", at+1, pdu)
				return
			}
			answer := talk[at].answer
			at++
			binary.BigEndian.PutUint16(head[4:], uint16(len(answer)+1))
			if _, err := c.Write(append(head[:], answer...)); err != nil {
				return
			}
		}
	}()
	return l.Addr().String(), func() int {
		_ = l.Close()
		return <-n
	}
}

// retrieveTrace runs one retrieval of historical log 1 against a conversation.
func retrieveTrace(t *testing.T, name string) (*logdbtest.Model, error) {
	t.Helper()
	talk := readTrace(t, name)
	addr, done := replay(t, talk)
	p, _ := profiles(t).Get("eig-shark-200")
	store := logdbtest.NewModel(logdbtest.Config{})
	e, err := modbus.New(addr, modbus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("retrieve", func(t *testing.T) { // so that the connection is closed before done
		background(t, e.Run)
		log, _ := p.LogOf("hist1")
		target := &retrieve.Target{UID: "m", Profile: p, Zone: time.UTC, Conn: e.Unit(1, modbus.UnitConfig{WriteAllow: p.WriteList()}), Identity: poll.Identity{Serial: "1"}}
		_, err = (&retrieve.Reader{Store: store}).Log(t.Context(), target, log, &retrieve.LogState{}, false)
	})
	if n := done(); n != len(talk) {
		t.Errorf("%d requests, the conversation has %d", n, len(talk))
	}
	return store, err
}

// TestDriverSaysWhatTheManualPrints compares every byte of a retrieval with the manual's procedure.
func TestDriverSaysWhatTheManualPrints(t *testing.T) {
	t.Parallel()
	store, err := retrieveTrace(t, "retrieval.trace")
	if err != nil {
		t.Fatal(err)
	}
	raws, err := store.LastRaw(t.Context(), "m", logdb.KindHistorical, 0, 100)
	if err != nil || len(raws) != 13 {
		t.Fatalf("%d records, %v", len(raws), err)
	}
	for i, raw := range raws {
		want := fmt.Sprintf("0c071710%02x0042faaacf42faad1842faa9a8", 0x16+i)
		if hex.EncodeToString(raw.Bytes) != want || raw.Time.Time().Format(time.DateTime) != fmt.Sprintf("2012-07-23 16:%d:00", 22+i) {
			t.Errorf("record %d: %x at %v", i+1, raw.Bytes, raw.Time.Time())
		}
	}
	series, err := store.Series(t.Context(), "m")
	if err != nil || len(series) != 3 || math.Float32bits(float32(series[0].LastValue)) != 0x42FAAACF {
		t.Errorf("series %+v, %v", series, err)
	}
}

// TestDriverLeavesATakenLogAlone: a log that COM2 has is not written to.
func TestDriverLeavesATakenLogAlone(t *testing.T) {
	t.Parallel()
	if _, err := retrieveTrace(t, "taken.trace"); !errors.Is(err, retrieve.ErrLogBusy) {
		t.Errorf("%v, want ErrLogBusy", err)
	}
}

// TestProfileIsTheManuals compares the Shark's profile with the addresses that the manual prints.
func TestProfileIsTheManuals(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(assets.Profiles(), "eig-shark-200.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Points, Identify []struct {
			Name, Addr, Type string
			Unverified       bool
		}
		Logs []struct {
			Name       string
			Number     int
			Status     string `json:"status_addr"`
			Settings   string `json:"settings_addr"`
			Unverified bool
		}
		Write []string `json:"write_allow"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range append(doc.Points, doc.Identify...) {
		if !p.Unverified {
			got[p.Name] = p.Addr + " " + p.Type
		}
	}
	for name, want := range map[string]string{
		"meter_name": "0x0000 ascii", "serial": "0x0008 ascii", "meter_type": "0x0010 bits16", "firmware": "0x0011 ascii",
		"v_an": "0x03E7 f32", "v_bn": "0x03E9 f32", "v_cn": "0x03EB f32", "v_ab": "0x03ED f32", "v_bc": "0x03EF f32", "v_ca": "0x03F1 f32",
		"a_a": "0x03F3 f32", "a_b": "0x03F5 f32", "a_c": "0x03F7 f32", "w_total": "0x03F9 f32", "var_total": "0x03FB f32", "va_total": "0x03FD f32",
		"pf_total": "0x03FF f32", "hz": "0x0401 f32", "a_n": "0x0403 f32", "port_id": "0x1193 u16", "energy_format": "0x7535 bits16",
		"ct": "0x752F bits16", "ct_numerator": "0x7530 u16", "pt_numerator": "0x7531 u16", "pt_denominator": "0x7532 u16", "pt_format": "0x7533 bits16",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, the manual prints %s", name, got[name], want)
		}
		delete(got, name)
	}
	for name, at := range got {
		t.Errorf("%s %s is not in the manual's text and not marked unverified", name, at)
	}
	logs := map[string]string{}
	for _, l := range doc.Logs {
		logs[l.Name] = fmt.Sprintf("%d %s %s %v", l.Number, l.Status, l.Settings, l.Unverified)
	}
	for name, want := range map[string]string{ // number, status block, settings, unverified
		"system": "0 0xC747  false", "alarm": "1 0xC737 0x754B false", "hist1": "2 0xC757 0x7917 false", "hist2": "3 0xC767 0x79D7 false",
		"hist3": "4 0xC777 0x7A97 false", "pq": "10 0xC797 0x7B57 true", "waveform": "11 0xC7A7 0x7B57 true",
	} {
		if logs[name] != want {
			t.Errorf("log %s: %q, want %q", name, logs[name], want)
		}
	}
	if fmt.Sprint(doc.Write) != "[0xC34F 0xC350 0xC351 0xC352]" {
		t.Errorf("registers that may be written: %v", doc.Write)
	}
}
