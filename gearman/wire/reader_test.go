package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestNext(t *testing.T) {
	var stream []byte
	for _, tt := range conversation {
		stream = append(stream, tt.bytes...)
	}
	readers := map[string]func(io.Reader) io.Reader{
		"whole":            func(r io.Reader) io.Reader { return r },
		"byte by byte":     iotest.OneByteReader,
		"error with data":  iotest.DataErrReader,
		"half of each ask": iotest.HalfReader,
	}
	for name, wrap := range readers {
		t.Run(name, func(t *testing.T) {
			r := NewReader(wrap(bytes.NewReader(stream)))
			for _, tt := range conversation {
				got, err := r.Next()
				if diff := cmp.Diff(tt.packet, got); err != nil || diff != "" {
					t.Errorf("Next of %q: %v, (-want +got):\n%s", tt.bytes, err, diff)
				}
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("Next at the end = %v, want EOF", err)
			}
		})
	}
}

func TestNextErrors(t *testing.T) {
	const noop = "\x00RES\x00\x00\x00\x06\x00\x00\x00\x00"
	tests := map[string]struct {
		stream string
		want   error
		text   string
		after  bool // the packet behind it can be read
	}{
		"magic":        {"GET / HTTP/1.1\r\n", ErrMagic, `bad magic "GET "`, false},
		"cut header":   {noop[:5], io.ErrUnexpectedEOF, "unexpected EOF", false},
		"cut data":     {"\x00REQ\x00\x00\x00\x01\x00\x00\x00\x06res", io.ErrUnexpectedEOF, "unexpected EOF", false},
		"size":         {"\x00REQ\x00\x00\x00\x10\x00\x00\x00\x65", ErrTooLarge, "ECHO_REQ of 101 bytes: packet too large", false},
		"largest size": {"\x00REQ\x00\x00\x00\x10\xff\xff\xff\xff", ErrTooLarge, "ECHO_REQ of 4294967295 bytes: packet too large", false},
		"too few":      {"\x00REQ\x00\x00\x00\x07\x00\x00\x00\x03f\x00u" + noop, nil, "arguments of SUBMIT_JOB: 2 given, 3 wanted", true},
		"none wanted":  {"\x00REQ\x00\x00\x00\x04\x00\x00\x00\x01x" + noop, nil, "arguments of PRE_SLEEP: 1 bytes given, none wanted", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tt.stream))
			r.MaxSize = 100
			_, err := r.Next()
			if err == nil || err.Error() != tt.text {
				t.Fatalf("Next = %v, want %s", err, tt.text)
			}
			var wrong *ArgumentError
			if tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && !errors.As(err, &wrong) {
				t.Errorf("Next = %#v, want %v", err, tt.want)
			}
			if p, err := r.Next(); tt.after && (err != nil || p.Type != Noop) {
				t.Errorf("Next after it = %s, %v, want NOOP", p.Type, err)
			}
		})
	}
}

func TestNextUnknownType(t *testing.T) {
	r := NewReader(strings.NewReader("\x00REQ\x00\x00\x00\x63\x00\x00\x00\x03a\x00b"))
	got, err := r.Next()
	if diff := cmp.Diff(packet(Request, 99, "a\x00b"), got); err != nil || diff != "" {
		t.Errorf("Next: %v, (-want +got):\n%s", err, diff)
	}
}

// A deadline in the middle of a packet loses nothing of it.
func TestNextAfterTimeout(t *testing.T) {
	want := conversation[5]
	r := NewReader(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(want.bytes))))
	if _, err := r.Next(); !errors.Is(err, iotest.ErrTimeout) {
		t.Fatalf("Next = %v, want the timeout", err)
	}
	got, err := r.Next()
	if diff := cmp.Diff(want.packet, got); err != nil || diff != "" {
		t.Errorf("Next after the timeout: %v, (-want +got):\n%s", err, diff)
	}
}

// Packets of every size around the buffer's, each followed by a small one.
func TestNextSizes(t *testing.T) {
	var sizes []int
	for _, size := range []int{0, smallBuffer, 2 * smallBuffer, largeBuffer, 2 * largeBuffer, 1 << 20} {
		for d := -headerSize - 1; d <= 1; d++ {
			sizes = append(sizes, max(size+d, 0))
		}
	}
	var stream []byte
	for i, size := range sizes {
		stream, _ = Append(stream, packet(Request, EchoReq, strings.Repeat(string(rune('a'+i%26)), size)))
		stream, _ = Append(stream, packet(Request, CanDo, "f"))
	}
	r := NewReader(bytes.NewReader(stream))
	for i, size := range sizes {
		p, err := r.Next()
		if want := strings.Repeat(string(rune('a'+i%26)), size); err != nil || string(p.Args[0]) != want {
			t.Fatalf("Next of %d bytes: %v, %d bytes", size, err, len(p.Args[0]))
		}
		if p, err := r.Next(); err != nil || string(p.Args[0]) != "f" {
			t.Fatalf("Next after %d bytes = %v, %v, want CAN_DO f", size, p, err)
		}
	}
	r.Next()
	if len(r.buf) > largeBuffer {
		t.Errorf("buffer at the end = %d bytes, want at most %d", len(r.buf), largeBuffer)
	}
}

// A header that announces much and brings little costs little.
func TestNextTrustsNoSize(t *testing.T) {
	r := NewReader(strings.NewReader("\x00REQ\x00\x00\x00\x10\x04\x00\x00\x00only this"))
	if _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("Next = %v, want unexpected EOF", err)
	}
	if len(r.buf) > smallBuffer {
		t.Errorf("buffer = %d bytes, want %d", len(r.buf), smallBuffer)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	r := NewReader(&endless{unit: []byte(conversation[19].bytes)})
	for len(r.buf) < largeBuffer {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(10000, func() { r.Next() }); got != 0 {
		t.Errorf("Next allocates %v times, want 0", got)
	}
}

// Admin text and packets may follow each other on one connection.
func TestTextBetweenPackets(t *testing.T) {
	noop, _ := Append(nil, packet(Response, Noop))
	stream := "status\r\n" + string(noop) + "version\n" + string(noop) + "cut"
	for name, src := range map[string]io.Reader{
		"whole":        strings.NewReader(stream),
		"byte by byte": iotest.OneByteReader(strings.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(src)
			for _, want := range []string{"status", "version"} {
				if text, err := r.Text(); err != nil || !text {
					t.Fatalf("Text before %s = %v, %v, want true", want, text, err)
				}
				if line, err := r.Line(); err != nil || string(line) != want {
					t.Fatalf("Line = %q, %v, want %q", line, err, want)
				}
				if text, err := r.Text(); err != nil || text {
					t.Fatalf("Text before NOOP = %v, %v, want false", text, err)
				}
				if p, err := r.Next(); err != nil || p.Type != Noop {
					t.Fatalf("Next = %s, %v, want NOOP", p.Type, err)
				}
			}
			if line, err := r.Line(); err != io.ErrUnexpectedEOF {
				t.Errorf("Line at the end = %q, %v, want unexpected EOF", line, err)
			}
		})
	}
}

func TestLineTooLong(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat("x", 2*MaxLine)))
	if _, err := r.Line(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Line = %v, want too large", err)
	}
}

func TestNoProgress(t *testing.T) {
	if _, err := NewReader(idle{}).Next(); err != io.ErrNoProgress {
		t.Errorf("Next = %v, want no progress", err)
	}
}

func TestBuffered(t *testing.T) {
	noop, _ := Append(nil, packet(Response, Noop))
	r := NewReader(bytes.NewReader(append(noop, noop...)))
	r.Next()
	if got, want := r.Buffered(), len(noop); got != want {
		t.Errorf("Buffered = %d, want %d", got, want)
	}
}

func TestUnderlyingError(t *testing.T) {
	if _, err := NewReader(iotest.ErrReader(os.ErrDeadlineExceeded)).Next(); err != os.ErrDeadlineExceeded {
		t.Errorf("Next = %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

// endless repeats unit for ever.
type endless struct {
	unit []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], e.unit[e.at:])
		e.at = (e.at + m) % len(e.unit)
		n += m
	}
	return n, nil
}

// idle reads nothing and says nothing.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func BenchmarkNext(b *testing.B) {
	unit, _ := Append(nil, packet(Request, SubmitJobBg, "warm_cache", "shop/12/1", strings.Repeat("x", 64)))
	r := NewReader(&endless{unit: unit})
	b.ReportAllocs()
	b.SetBytes(int64(len(unit)))
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
