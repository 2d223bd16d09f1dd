package master

import "testing"

// These are what an operator reads in `systemctl status`.
func TestStatusWords(t *testing.T) {
	for _, c := range []struct {
		name string
		o    outlook
		want string
	}{
		{"before anything runs", outlook{stage: booting, wanted: 4}, "booting: starting Python for 4 workers"},
		{"one of them", outlook{stage: booting, wanted: 1}, "booting: starting Python for 1 worker"},
		{"the first is forked", outlook{stage: booting, wanted: 4, starting: 1}, "booting 1 of 4 workers"},
		{"all serve", outlook{stage: serving, generation: 1, wanted: 4, ready: 4}, "serving: 4 workers, generation 1"},
		{"one serves alone", outlook{stage: serving, generation: 1, wanted: 1, ready: 1}, "serving: 1 worker, generation 1"},
		{"one is missing", outlook{stage: serving, generation: 2, wanted: 4, ready: 3, starting: 1}, "serving: 3 of 4 workers, generation 2"},
		{"none is left", outlook{stage: serving, generation: 2, wanted: 4, trouble: "no worker can take work"}, "serving: 0 of 4 workers, generation 2; no worker can take work"},
		{"it will stop", outlook{stage: serving, generation: 1, wanted: 1, ready: 1, farewell: "not ready"}, "serving: 1 worker, generation 1; not ready"},
		{"requests in hand", outlook{stage: stopping, wanted: 4, ready: 4, occupied: 4}, "draining: finishing the requests in hand"},
		{"workers leave", outlook{stage: stopping, drained: true, occupied: 3}, "draining: waiting for 3 workers to leave"},
		{"it failed", outlook{stage: stopping, failure: "load app:app: no such module"}, "failed: load app:app: no such module"},
	} {
		if got := c.o.words(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLastLineIsTheException(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"Traceback (most recent call last):\n  File \"app.py\"\nImportError: no\n\n": "ImportError: no",
		"no such module: x": "no such module: x",
	} {
		if got := lastLine(text); got != want {
			t.Errorf("lastLine(%q) = %q, want %q", text, got, want)
		}
	}
}
