package settings

import (
	"testing"
	"time"
)

// The defaults are uvicorn's, which users of WebSockets come from.
func TestWebSocketDefaults(t *testing.T) {
	v := resolve(t)
	if v.WSMaxSize() != 16<<20 || v.WSPingInterval() != 20*time.Second || v.WSPingTimeout() != 20*time.Second || !v.WSPerMessageDeflate() {
		t.Errorf("got %d, %v, %v, %v", v.WSMaxSize(), v.WSPingInterval(), v.WSPingTimeout(), v.WSPerMessageDeflate())
	}
}
