package e2e

import (
	"net/http"
	"testing"
)

// A log collector that dies must take nothing with it: every process writes on,
// to nobody, and serves.
func TestNobodyReadsTheOutputAnyMore(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"--access-logfile", "-"}})
	s.wants("/", http.StatusOK, "hello")
	gateway := s.the("gateway")
	for _, pipe := range s.pipes {
		_ = pipe.Close()
	}
	for range 3 {
		s.wants("/", http.StatusOK, "hello")
		for path, want := range map[string]int{"/kill/9": http.StatusBadGateway, "/env": http.StatusInternalServerError} {
			if status, _ := s.get(path); status != want {
				t.Errorf("%s got %d, want %d", path, status, want)
			}
		}
	}
	if now := s.the("gateway"); now != gateway {
		t.Errorf("gateway %d was replaced by %d", gateway, now)
	}
	s.stop()
}
