package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conversation holds every packet of the protocol as literal bytes, taken from
// the argument lists of gearmand's PROTOCOL.
var conversation = []struct {
	packet Packet
	bytes  string
}{
	{packet(Request, CanDo, "resize"), "\x00REQ\x00\x00\x00\x01\x00\x00\x00\x06resize"},
	{packet(Request, CantDo, "resize"), "\x00REQ\x00\x00\x00\x02\x00\x00\x00\x06resize"},
	{packet(Request, ResetAbilities), "\x00REQ\x00\x00\x00\x03\x00\x00\x00\x00"},
	{packet(Request, PreSleep), "\x00REQ\x00\x00\x00\x04\x00\x00\x00\x00"},
	{packet(Response, Noop), "\x00RES\x00\x00\x00\x06\x00\x00\x00\x00"},
	{packet(Request, SubmitJob, "f", "u", "a\x00b"), "\x00REQ\x00\x00\x00\x07\x00\x00\x00\x07f\x00u\x00a\x00b"},
	{packet(Response, JobCreated, "H:web1:7"), "\x00RES\x00\x00\x00\x08\x00\x00\x00\x08H:web1:7"},
	{packet(Request, GrabJob), "\x00REQ\x00\x00\x00\x09\x00\x00\x00\x00"},
	{packet(Response, NoJob), "\x00RES\x00\x00\x00\x0a\x00\x00\x00\x00"},
	{packet(Response, JobAssign, "H:web1:7", "f", "\x00"), "\x00RES\x00\x00\x00\x0b\x00\x00\x00\x0cH:web1:7\x00f\x00\x00"},
	{packet(Request, WorkStatus, "H:web1:7", "3", "10"), "\x00REQ\x00\x00\x00\x0c\x00\x00\x00\x0dH:web1:7\x003\x0010"},
	{packet(Response, WorkStatus, "H:web1:7", "3", "10"), "\x00RES\x00\x00\x00\x0c\x00\x00\x00\x0dH:web1:7\x003\x0010"},
	{packet(Request, WorkComplete, "H:web1:7", "ok"), "\x00REQ\x00\x00\x00\x0d\x00\x00\x00\x0bH:web1:7\x00ok"},
	{packet(Response, WorkComplete, "H:web1:7", ""), "\x00RES\x00\x00\x00\x0d\x00\x00\x00\x09H:web1:7\x00"},
	{packet(Request, WorkFail, "H:web1:7"), "\x00REQ\x00\x00\x00\x0e\x00\x00\x00\x08H:web1:7"},
	{packet(Response, WorkFail, "H:web1:7"), "\x00RES\x00\x00\x00\x0e\x00\x00\x00\x08H:web1:7"},
	{packet(Request, GetStatus, "H:web1:7"), "\x00REQ\x00\x00\x00\x0f\x00\x00\x00\x08H:web1:7"},
	{packet(Request, EchoReq, "a\x00b"), "\x00REQ\x00\x00\x00\x10\x00\x00\x00\x03a\x00b"},
	{packet(Response, EchoRes, "a\x00b"), "\x00RES\x00\x00\x00\x11\x00\x00\x00\x03a\x00b"},
	{packet(Request, SubmitJobBg, "f", "", "w"), "\x00REQ\x00\x00\x00\x12\x00\x00\x00\x04f\x00\x00w"},
	{packet(Response, Error, "JOB_NOT_FOUND", "it is gone"), "\x00RES\x00\x00\x00\x13\x00\x00\x00\x18JOB_NOT_FOUND\x00it is gone"},
	{packet(Response, StatusRes, "H:web1:7", "1", "0", "3", "10"), "\x00RES\x00\x00\x00\x14\x00\x00\x00\x11H:web1:7\x001\x000\x003\x0010"},
	{packet(Request, SubmitJobHigh, "f", "u", "w"), "\x00REQ\x00\x00\x00\x15\x00\x00\x00\x05f\x00u\x00w"},
	{packet(Request, SetClientID, "web1-4711"), "\x00REQ\x00\x00\x00\x16\x00\x00\x00\x09web1-4711"},
	{packet(Request, CanDoTimeout, "resize", "1500"), "\x00REQ\x00\x00\x00\x17\x00\x00\x00\x0bresize\x001500"},
	{packet(Request, AllYours), "\x00REQ\x00\x00\x00\x18\x00\x00\x00\x00"},
	{packet(Request, WorkException, "H:web1:7", "boom"), "\x00REQ\x00\x00\x00\x19\x00\x00\x00\x0dH:web1:7\x00boom"},
	{packet(Response, WorkException, "H:web1:7", "boom"), "\x00RES\x00\x00\x00\x19\x00\x00\x00\x0dH:web1:7\x00boom"},
	{packet(Request, OptionReq, "exceptions"), "\x00REQ\x00\x00\x00\x1a\x00\x00\x00\x0aexceptions"},
	{packet(Response, OptionRes, "exceptions"), "\x00RES\x00\x00\x00\x1b\x00\x00\x00\x0aexceptions"},
	{packet(Request, WorkData, "H:web1:7", "d"), "\x00REQ\x00\x00\x00\x1c\x00\x00\x00\x0aH:web1:7\x00d"},
	{packet(Response, WorkData, "H:web1:7", "d"), "\x00RES\x00\x00\x00\x1c\x00\x00\x00\x0aH:web1:7\x00d"},
	{packet(Request, WorkWarning, "H:web1:7", "d"), "\x00REQ\x00\x00\x00\x1d\x00\x00\x00\x0aH:web1:7\x00d"},
	{packet(Response, WorkWarning, "H:web1:7", "d"), "\x00RES\x00\x00\x00\x1d\x00\x00\x00\x0aH:web1:7\x00d"},
	{packet(Request, GrabJobUniq), "\x00REQ\x00\x00\x00\x1e\x00\x00\x00\x00"},
	{packet(Response, JobAssignUniq, "H:web1:7", "f", "u", "w"), "\x00RES\x00\x00\x00\x1f\x00\x00\x00\x0eH:web1:7\x00f\x00u\x00w"},
	{packet(Request, SubmitJobHighBg, "f", "u", "w"), "\x00REQ\x00\x00\x00\x20\x00\x00\x00\x05f\x00u\x00w"},
	{packet(Request, SubmitJobLow, "f", "u", "w"), "\x00REQ\x00\x00\x00\x21\x00\x00\x00\x05f\x00u\x00w"},
	{packet(Request, SubmitJobLowBg, "f", "u", "w"), "\x00REQ\x00\x00\x00\x22\x00\x00\x00\x05f\x00u\x00w"},
	{packet(Request, SubmitJobSched, "f", "u", "59", "23", "31", "12", "6", "w"), "\x00REQ\x00\x00\x00\x23\x00\x00\x00\x13f\x00u\x0059\x0023\x0031\x0012\x006\x00w"},
	{packet(Request, SubmitJobEpoch, "f", "u", "1700000000", "w"), "\x00REQ\x00\x00\x00\x24\x00\x00\x00\x10f\x00u\x001700000000\x00w"},
	{packet(Request, SubmitReduceJob, "f", "u", "r", "w"), "\x00REQ\x00\x00\x00\x25\x00\x00\x00\x07f\x00u\x00r\x00w"},
	{packet(Request, SubmitReduceJobBackground, "f", "u", "r", "w"), "\x00REQ\x00\x00\x00\x26\x00\x00\x00\x07f\x00u\x00r\x00w"},
	{packet(Request, GrabJobAll), "\x00REQ\x00\x00\x00\x27\x00\x00\x00\x00"},
	{packet(Response, JobAssignAll, "H:web1:7", "f", "u", "r", "w"), "\x00RES\x00\x00\x00\x28\x00\x00\x00\x10H:web1:7\x00f\x00u\x00r\x00w"},
	{packet(Request, GetStatusUnique, "u"), "\x00REQ\x00\x00\x00\x29\x00\x00\x00\x01u"},
	{packet(Response, StatusResUnique, "u", "1", "1", "3", "10", "2"), "\x00RES\x00\x00\x00\x2a\x00\x00\x00\x0cu\x001\x001\x003\x0010\x002"},
}

func packet(m Magic, t Type, args ...string) Packet {
	p := Packet{Magic: m, Type: t}
	for _, arg := range args {
		p.Args = append(p.Args, []byte(arg))
	}
	return p
}

func TestAppend(t *testing.T) {
	seen := map[Type]bool{}
	for _, tt := range conversation {
		seen[tt.packet.Type] = true
		got, err := Append([]byte("before"), tt.packet)
		if want := "before" + tt.bytes; err != nil || string(got) != want {
			t.Errorf("Append(%s) = %q, %v, want %q", tt.packet.Type, got, err, want)
		}
	}
	for typ := range Type(len(types)) {
		if typ.Known() != seen[typ] {
			t.Errorf("%s: known %v, in the table %v", typ, typ.Known(), seen[typ])
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	tests := map[string]struct {
		packet Packet
		want   string
	}{
		"too few":  {packet(Request, SubmitJob, "f", "u"), "arguments of SUBMIT_JOB: 2 given, 3 wanted"},
		"too many": {packet(Request, PreSleep, ""), "arguments of PRE_SLEEP: 1 given, 0 wanted"},
		"NUL":      {packet(Request, SubmitJob, "f", "u\x00", "w"), "arguments of SUBMIT_JOB: NUL in number 2 of 3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Append([]byte("before"), tt.packet)
			var wrong *ArgumentError
			if !errors.As(err, &wrong) || err.Error() != tt.want {
				t.Errorf("Append error = %v, want %q", err, tt.want)
			}
			if string(got) != "before" {
				t.Errorf("Append = %q, want %q", got, "before")
			}
		})
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 1024)
	function, unique, workload := []byte("f"), []byte("u"), make([]byte, 512)
	got := testing.AllocsPerRun(100, func() {
		dst, _ = Append(dst[:0], Packet{Request, SubmitJobBg, [][]byte{function, unique, workload}})
	})
	if got != 0 {
		t.Errorf("Append allocates %v times, want 0", got)
	}
}

func TestTypeString(t *testing.T) {
	for typ, want := range map[Type]string{
		SubmitJobBg: "SUBMIT_JOB_BG", 0: "type 0", 5: "type 5", 43: "type 43", 1 << 31: "type 2147483648",
	} {
		if got := typ.String(); got != want {
			t.Errorf("Type(%d).String() = %q, want %q", uint32(typ), got, want)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	for _, tt := range conversation {
		f.Add(uint32(tt.packet.Type), bytes.Join(tt.packet.Args, []byte("\xff")), 7)
	}
	f.Fuzz(func(t *testing.T, typ uint32, joined []byte, chunk int) {
		want := Packet{Request, Type(typ), bytes.Split(joined, []byte("\xff"))}
		if len(joined) == 0 && want.Type.NumArgs() == 0 {
			want.Args = nil
		}
		encoded, err := Append(nil, want)
		if err != nil {
			return
		}
		r := NewReader(&chunked{data: append(bytes.Clone(encoded), encoded...), size: chunk})
		for range 2 {
			got, err := r.Next()
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("Next of %q: %v, (-want +got):\n%s", encoded, err, diff)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("Next at the end = %v, want EOF", err)
		}
	})
}

func FuzzNext(f *testing.F) {
	for _, tt := range conversation {
		f.Add([]byte(tt.bytes), 3)
	}
	f.Add([]byte("\x00REQ\x00\x00\x00\x01\xff\xff\xff\xff"), 1)
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		r := NewReader(&chunked{data: data, size: chunk})
		r.MaxSize = 1 << 16
		var again []byte
		for {
			p, err := r.Next()
			if err != nil {
				return
			}
			// What was decoded encodes to the very bytes it came from.
			if again, err = Append(again, p); err != nil || !bytes.HasPrefix(data, again) {
				t.Fatalf("Append = %q, %v, want a prefix of %q", again, err, data)
			}
		}
	})
}

// chunked reads data in pieces of 1 to 16 bytes.
type chunked struct {
	data []byte
	size int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(len(c.data), c.size&15+1)])
	c.data = c.data[n:]
	return n, nil
}

func BenchmarkAppend(b *testing.B) {
	dst := make([]byte, 0, 1024)
	function, unique, workload := []byte("warm_cache"), []byte("shop/12/1"), []byte(strings.Repeat("x", 64))
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = Append(dst[:0], Packet{Request, SubmitJobBg, [][]byte{function, unique, workload}})
	}
}
