package accesslog

import (
	"strings"
	"testing"
)

const (
	aTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	aSpan  = "00f067aa0ba902b7"
)

// The cases are those of the standard and of its test suite.
func TestOnlyATraceIDIsOne(t *testing.T) {
	for field, want := range map[string]string{
		"00-" + aTrace + "-" + aSpan + "-01":                     aTrace,
		"00-" + aTrace + "-" + aSpan + "-ff":                     aTrace,
		"cc-" + aTrace + "-" + aSpan + "-01":                     aTrace,
		"cc-" + aTrace + "-" + aSpan + "-01-what comes later":    aTrace,
		"cc-" + aTrace + "-" + aSpan + "-01.what":                "",
		"00-" + aTrace + "-" + aSpan + "-01-what":                "",
		"00-" + aTrace + "-" + aSpan + "-01 ":                    "",
		"ff-" + aTrace + "-" + aSpan + "-01":                     "",
		"0-" + aTrace + "-" + aSpan + "-01":                      "",
		"0x-" + aTrace + "-" + aSpan + "-01":                     "",
		"00-" + strings.ToUpper(aTrace) + "-" + aSpan + "-01":    "",
		"00-" + strings.Repeat("0", 32) + "-" + aSpan + "-01":    "",
		"00-" + aTrace + "-" + strings.Repeat("0", 16) + "-01":   "",
		"00-" + aTrace[1:] + "-" + aSpan + "-001":                "",
		"00-" + aTrace + "x-" + aSpan[1:] + "-01":                "",
		"00-" + aTrace + "." + aSpan + "-01":                     "",
		"00-" + aTrace + "-" + aSpan + ".01":                     "",
		"00." + aTrace + "-" + aSpan + "-01":                     "",
		"00-" + aTrace + "-" + aSpan + "-0":                      "",
		"00-" + aTrace + "-" + aSpan + "-0g":                     "",
		"00-" + aTrace + "-" + aSpan[:15] + "G-01":               "",
		"00-" + aTrace + "-" + aSpan:                             "",
		"00-" + aTrace + "-" + aSpan + "-01, 00-" + aTrace + "…": "",
		"":                       "",
		"\"\n" + aTrace + "\x00": "",
	} {
		if got := string(traceOf([]byte(field))); got != want {
			t.Errorf("%q: got %q, want %q", field, got, want)
		}
	}
}

func TestTheTraceIsInEveryFormat(t *testing.T) {
	request, response := browser()
	request.Lookup = asked{fields: map[string]string{"traceparent": "00-" + aTrace + "-" + aSpan + "-01"}}
	if got := render(t, "%(trace_id)s", &request, &response); got != aTrace+"\n" {
		t.Errorf("the atom is %q", got)
	}
	if got := render(t, "json", &request, &response); !strings.Contains(got, `"trace_id":"`+aTrace+`"`) {
		t.Errorf("the object is %s", got)
	}
	f, err := CompileJournal("combined")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(f.Answer(nil, f.Ask(nil, &request), &response)); !strings.Contains(got, "\nTRACE_ID="+aTrace+"\n") {
		t.Errorf("the entry is %q", got)
	}
	request.Lookup = asked{fields: map[string]string{"traceparent": "00-" + aTrace + "-\" forged"}}
	if got := render(t, "%(trace_id)s", &request, &response) + render(t, "json", &request, &response); !strings.HasPrefix(got, "-\n") ||
		!strings.Contains(got, `"trace_id":null`) || strings.Contains(got, "forged") {
		t.Errorf("of a malformed field came %q", got)
	}
}
