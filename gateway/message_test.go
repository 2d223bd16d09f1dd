package gateway

import (
	"strings"
	"testing"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

func TestReadMessage(t *testing.T) {
	for name, c := range map[string]struct {
		msg  dispatch.Tuple
		want string // of the error; none if empty
	}{
		"text":               {dispatch.Tuple{"text", "Καλημέρα"}, ""},
		"bytes":              {dispatch.Tuple{"bytes", []byte("\x00\xff")}, ""},
		"empty":              {dispatch.Tuple{"bytes", []byte{}}, ""},
		"in a file":          {dispatch.Tuple{"text", nil}, ""},
		"close":              {dispatch.Tuple{"close", 4001, "all said"}, ""},
		"lone surrogate":     {dispatch.Tuple{"text", "a\xed\xa0\x80"}, "lone surrogates"},
		"bytes as text":      {dispatch.Tuple{"text", []byte("x")}, "str"},
		"text as bytes":      {dispatch.Tuple{"bytes", "x"}, "bytes"},
		"a code of nobody":   {dispatch.Tuple{"close", 1005, ""}, "code 1005"},
		"too long a reason":  {dispatch.Tuple{"close", 1000, strings.Repeat("x", 124)}, "code 1000"},
		"half a close":       {dispatch.Tuple{"close", 1000}, `"close" with 2 items`},
		"too much":           {dispatch.Tuple{"text", "x", "y"}, `"text" with 3 items`},
		"an unknown verb":    {dispatch.Tuple{"shout", "x"}, `"shout"`},
		"nothing":            {dispatch.Tuple{}, "nothing is left"},
		"a number as a verb": {dispatch.Tuple{7, "x"}, "str"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := dispatch.Marshal(c.msg)
			if err != nil {
				t.Fatal(err)
			}
			m, err := readMessage(new(dispatch.Reader), raw)
			switch {
			case c.want != "":
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error that says %q", err, c.want)
				}
				return
			case err != nil:
				t.Fatal(err)
			case m.verb != c.msg[0]:
				t.Errorf("the verb is %q", m.verb)
			}
			switch content := c.msg[1].(type) {
			case string:
				if m.op != websocket.Text || string(m.data) != content {
					t.Errorf("got %v %q", m.op, m.data)
				}
			case []byte:
				if m.op != websocket.Binary || m.data == nil || string(m.data) != string(content) {
					t.Errorf("got %v %q", m.op, m.data)
				}
			case nil:
				if m.data != nil {
					t.Errorf("got %q, want nothing", m.data)
				}
			case int:
				if m.code != content || m.reason != c.msg[2] {
					t.Errorf("got %d %q", m.code, m.reason)
				}
			}
		})
	}
}

// A conversation makes no garbage that grows with its messages.
func TestReadMessageCopiesNothing(t *testing.T) {
	raw, err := dispatch.Marshal(dispatch.Tuple{"bytes", make([]byte, 32<<10)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := readMessage(new(dispatch.Reader), raw)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] = 'x'
	if m.data[len(m.data)-1] != 'x' {
		t.Error("the content is a copy")
	}
}
