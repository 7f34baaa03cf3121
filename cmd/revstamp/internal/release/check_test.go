package release

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"revstamp/cmd/revstamp/internal/config"
)

// A site has all of the time that it is given: it is asked until that is over, and
// once more then.
func TestHealthyAsksToTheEnd(t *testing.T) {
	t.Parallel()
	var last atomic.Int64
	began := time.Now()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		last.Store(int64(time.Since(began)))
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	const within = 350 * time.Millisecond
	err := healthy(t.Context(), config.Check{URL: server.URL, Status: http.StatusOK, Within: within}, "")
	if err == nil || !strings.Contains(err.Error(), "status 503, not 200") {
		t.Errorf("healthy: %v", err)
	}
	if got := time.Duration(last.Load()); got < within {
		t.Errorf("asked last after %v of %v", got, within)
	}
}
