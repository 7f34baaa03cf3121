package jobserver

import (
	"slices"
	"testing"

	"revstamp/gearman/gearmantest"
)

// A testConversation is had with this server and with gearmand 1.1.20. Where the
// two differ, the difference is in the lines marked for one of them, and why is
// its reason.
type testConversation struct {
	name   string
	why    string
	script string
}

func TestConformance(t *testing.T) {
	for _, tt := range slices.Concat(requestConversations, uniqueConversations, workerConversations, adminConversations) {
		t.Run(tt.name, func(t *testing.T) {
			t.Run("ours", func(t *testing.T) {
				t.Parallel()
				converse(t, start(t, new(Server)), "ours", tt.script)
			})
			t.Run("ours with a store", func(t *testing.T) {
				t.Parallel()
				converse(t, start(t, &Server{Store: new(memoryStore)}), "ours", tt.script)
			})
			t.Run("gearmand", func(t *testing.T) {
				t.Parallel()
				converse(t, gearmantest.Start(t).Addr, "gearmand", tt.script)
			})
		})
	}
}
