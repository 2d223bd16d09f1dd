package e2e

import "testing"

func TestAnApplicationIsNamedInManyWays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ spec, body string }{
		{"plain", "hello"},
		{"plain:application", "hello"},
		{"plain:app", "app"},
		{"pkg.deep", "deep"},
		{"plain:Box.inner.app", "inner"},
		{`plain:factory()`, "made () {}"},
		{`plain:factory("x", 2, key=[None, {"a": 1.5}])`, "made ('x', 2) {'key': [None, {'a': 1.5}]}"},
	} {
		t.Run(tc.spec, func(t *testing.T) {
			s := serve(t, launch{app: tc.spec})
			s.wants("/", 200, tc.body)
			s.stop()
		})
	}
}

// refused starts indrik, expects it to give up with status, and returns its
// standard error.
func refused(t *testing.T, l launch, status int) *service {
	t.Helper()
	s := start(t, l)
	s.allow("indrik: ")
	s.expect(status)
	if took := s.stderr.count("serving:"); took != 0 {
		t.Error("indrik said that it serves")
	}
	return s
}
