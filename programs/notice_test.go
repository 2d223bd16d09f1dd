package programs

import (
	"strings"
	"testing"
	"time"
)

func TestParseNotice(t *testing.T) {
	t.Parallel()
	n, err := parseNotice("READY=1\nSTATUS=at work\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=1500000\nERRNO=2\nX_OTHER=1\nno assignment\nFDSTORE=1\nFDNAME=conn\nFDPOLL=0\n")
	if err != nil {
		t.Fatal(err)
	}
	if !n.ready || !n.beat || n.trigger || n.status == nil || *n.status != "at work" || n.errno != 2 ||
		n.extend != 1500*time.Millisecond || !n.store || n.name != "conn" || !n.keepHungUp || n.stopping || n.barrier {
		t.Errorf("got %+v", n)
	}
	n, err = parseNotice("WATCHDOG=trigger\nSTOPPING=1\nBARRIER=1\nWATCHDOG_USEC=20\nFDSTOREREMOVE=1")
	if err != nil || !n.trigger || n.beat || !n.stopping || !n.barrier || n.watchdog != 20*time.Microsecond || !n.remove || n.name != storedName {
		t.Errorf("got %+v, %v", n, err)
	}
	// READY=0 and its kin say nothing; later lines win.
	if n, err := parseNotice("READY=0\nSTOPPING=yes\nSTATUS=a\nSTATUS=b"); err != nil || n.ready || n.stopping || *n.status != "b" {
		t.Errorf("got %+v, %v", n, err)
	}
}

// One value that means nothing does not take the rest of the notice with it.
func TestParseNoticeNamesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"WATCHDOG_USEC=0", "WATCHDOG_USEC=-1", "WATCHDOG_USEC=soon", "EXTEND_TIMEOUT_USEC=99999999999999999999",
		"EXTEND_TIMEOUT_USEC=9223372036854775807", "ERRNO=many", "FDNAME=a:b", "FDNAME=", "FDNAME=" + strings.Repeat("x", 256), "FDNAME=\x01",
	} {
		n, err := parseNotice(bad + "\nREADY=1")
		key, _, _ := strings.Cut(bad, "=")
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q: got error %v, want one that names %s", bad, err, key)
		}
		if !n.ready || n.watchdog != 0 || n.extend != 0 || n.name != storedName {
			t.Errorf("%q: got %+v, want READY=1 and nothing else", bad, n)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"two  words\tand\nlines": "two words and lines",
		"bad \xff byte":          "bad \uFFFD byte",
		"äöüäöüäöüäöü":           "äöüäöüäöüäö…",
		"":                       "",
	} {
		if got := oneLine(text, 20); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzParseNotice(f *testing.F) {
	f.Add("READY=1\nSTATUS=x")
	f.Add("FDNAME=\nWATCHDOG_USEC=18446744073709551616\n=\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		n, _ := parseNotice(text)
		if !validName(n.name) || n.extend < 0 || n.watchdog < 0 || n.extend > maxWait || n.watchdog > maxWait {
			t.Errorf("%q became %+v", text, n)
		}
	})
}
