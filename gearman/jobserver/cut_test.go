package jobserver

import (
	"bytes"
	"io"
	"math"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"revstamp/gearman/wire"
)

// cutConversation is had by one peer that is everything at once.
var cutConversation = [][]byte{
	raw(wire.Request, wire.OptionReq, []string{"exceptions"}),
	raw(wire.Request, wire.SetClientID, []string{"me"}),
	raw(wire.Request, wire.CanDo, []string{"f"}),
	raw(wire.Request, wire.CanDoTimeout, []string{"g", "60000"}),
	raw(wire.Request, wire.SubmitJobBg, []string{"f", "u", "in the background"}),
	raw(wire.Request, wire.SubmitJobBg, []string{"f", "u", "in the background"}),
	raw(wire.Request, wire.SubmitJobHigh, []string{"g", "v", "in the foreground"}),
	raw(wire.Request, wire.SubmitJobEpoch, []string{"later", "", "4102444800", "delayed"}),
	raw(wire.Request, wire.GetStatusUnique, []string{"u"}),
	raw(wire.Request, wire.GrabJobUniq, nil),
	raw(wire.Request, wire.WorkStatus, []string{"C:2", "1", "2"}),
	raw(wire.Request, wire.WorkData, []string{"C:2", "half"}),
	raw(wire.Request, wire.WorkComplete, []string{"C:2", "done"}),
	raw(wire.Request, wire.GrabJob, nil),
	raw(wire.Request, wire.GetStatus, []string{"C:1"}),
	[]byte("status\n"),
	[]byte("show jobs\r\n"),
	raw(wire.Request, wire.WorkException, []string{"C:1", "boom"}),
	raw(wire.Request, wire.SubmitJobLowBg, []string{"f", "-", "the last"}),
	raw(wire.Request, wire.GrabJobAll, nil),
	raw(wire.Request, wire.CantDo, []string{"g"}),
	raw(wire.Request, wire.PreSleep, nil),
	raw(wire.Request, wire.EchoReq, []string{"well"}),
}

// However many bytes of a conversation come before the connection ends: what was
// said whole is done, what was not is not, and nothing is held for who is gone.
func TestCutRequests(t *testing.T) {
	t.Parallel()
	for i := range cutConversation {
		said := bytes.Join(cutConversation[:i], nil)
		want, _ := cutAfter(t, said, -1)
		if want.Connections != 0 || running(want) != 0 {
			t.Errorf("after %d requests: %+v, want no connection and nothing running", i, want)
		}
		for part := range cutConversation[i] {
			got, _ := cutAfter(t, slices.Concat(said, cutConversation[i][:part]), -1)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d requests and %d bytes of %q (-want +got):\n%s", i, part, cutConversation[i], diff)
			}
		}
	}
	all, answers := cutAfter(t, bytes.Join(cutConversation, nil), -1)
	if all.JobsAccepted != 4 || all.JobsCompleted != 1 || all.JobsFailed != 1 || all.JobsRetried != 1 || all.JobsDropped != 0 {
		t.Errorf("after all: %+v, want four jobs, one completed, one failed, one lost by its worker", all)
	}
	if !bytes.HasSuffix(answers, raw(wire.Response, wire.EchoRes, []string{"well"})) {
		t.Errorf("the last answer is not there: %q", answers)
	}
}

// A peer that goes when it has read so many bytes of the answers takes nothing
// with it that is not its own.
func TestCutAnswers(t *testing.T) {
	t.Parallel()
	said := bytes.Join(cutConversation, nil)
	_, answers := cutAfter(t, said, -1)
	if len(answers) < 200 {
		t.Fatalf("answers of %d bytes are too short", len(answers))
	}
	for n := range answers {
		got, read := cutAfter(t, said, n)
		if len(read) != n || !bytes.HasPrefix(answers, read) {
			t.Errorf("read %q, want the first %d bytes of %q", read, n, answers)
		}
		if got.Connections != 0 || running(got) != 0 {
			t.Errorf("gone after %d bytes: %+v, want no connection and nothing running", n, got)
		}
	}
}

func running(s Stats) int {
	n := 0
	for _, f := range s.Functions {
		n += f.Running + f.Workers
	}
	return n
}

// cutAfter has a peer say something to a new server and go: when all is answered,
// or with read bytes of the answers if that is not negative. It returns how the
// server stands then, and the answers.
func cutAfter(t *testing.T, said []byte, read int) (Stats, []byte) {
	t.Helper()
	s := &Server{HandlePrefix: "C"}
	defer s.Close()
	client, server := connected(t)
	over := make(chan error, 1)
	go func() { over <- s.ServeConn(server) }()
	if _, err := client.Write(said); err != nil {
		t.Error(err)
	}
	if read < 0 {
		client.CloseWrite()
		read = math.MaxInt
	}
	answers, err := io.ReadAll(io.LimitReader(client, int64(read)))
	if err != nil {
		t.Errorf("answers: %v", err)
	}
	client.Close()
	select {
	case <-over:
	case <-time.After(limit):
		t.Fatal("the server does not let go")
	}
	return s.Stats(), answers
}

// connected returns the ends of a connection.
func connected(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	if far, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	return near, far
}
