package e2e

import "testing"

func TestSmoke(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain"})
	s.wants("/", 200, "hello")
	s.stop()
}
