package accesslog

import (
	"fmt"
	"strings"
)

// Format is a compiled format. It is not changed after it was made, and any
// goroutine may use it.
type Format struct {
	pieces []piece
	json   bool // values are escaped for JSON; what is missing is null
}

// piece is a text that is always the same, or what stands for something else.
type piece struct {
	atom  atom
	text  string // of a literal
	name  string // of a field or variable
	quote bool   // with quotes around it, unless it is missing
}

// Compile reads a format: "combined", "gunicorn", "json" or "short", or a text in
// Gunicorn's notation, %(h)s and so on. Each entry of such a format ends with a
// line feed. The error is a reason and a remedy.
func Compile(format string) (*Format, error) {
	switch format {
	case "json":
		return compileJSON(), nil
	case "short":
		return compileShort(), nil
	case "combined", "gunicorn":
		format = Combined
	}
	f := &Format{}
	if err := f.parse(format); err != nil {
		return nil, err
	}
	f.add(piece{text: "\n"})
	return f, nil
}

// CompileJournal makes a format of entries for systemd's journal in its native
// protocol, ended by an empty line: their MESSAGE is a line of format, and
// their fields can be searched for.
func CompileJournal(format string) (*Format, error) {
	if format == "json" {
		format = Combined // the fields say all that, and more to the journal's liking
	}
	message, err := Compile(format)
	if err != nil {
		return nil, err
	}
	f := &Format{}
	f.add(piece{text: "SYSLOG_IDENTIFIER=indrik\nPRIORITY=6\nINDRIK_LOG=access\nMESSAGE="})
	for _, p := range message.pieces {
		f.add(p) // the last one ends the line
	}
	for _, p := range journalPairs {
		f.add(piece{text: p.key + "="})
		f.add(p.piece)
		f.add(piece{text: "\n"})
	}
	f.add(piece{text: "\n"})
	return f, nil
}

func compileShort() *Format {
	f := &Format{}
	for _, p := range shortPieces {
		f.add(p)
	}
	return f
}

func compileJSON() *Format {
	f := &Format{json: true}
	before := "{"
	for _, p := range jsonPairs {
		f.add(piece{text: before + `"` + p.key + `":`})
		f.add(p.piece)
		before = ","
	}
	f.add(piece{text: "}\n"})
	return f
}

// WantsHead reports whether [Response.Head] matters.
func (f *Format) WantsHead() bool {
	for i := range f.pieces {
		if f.pieces[i].atom == replyField {
			return true
		}
	}
	return false
}

// add appends a piece, literals to literals.
func (f *Format) add(p piece) {
	if last := len(f.pieces) - 1; p.atom == literal && last >= 0 && f.pieces[last].atom == literal {
		f.pieces[last].text += p.text
		return
	}
	f.pieces = append(f.pieces, p)
}

func (f *Format) parse(format string) error {
	for i := range len(format) {
		if format[i] < 0x20 || format[i] == 0x7f {
			return fmt.Errorf("it has the control character %q; an entry is one line", format[i])
		}
	}
	for rest := format; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			i = len(rest)
		}
		if i > 0 {
			f.add(piece{text: rest[:i]})
		}
		if rest = rest[i:]; rest == "" {
			break
		}
		if strings.HasPrefix(rest, "%%") {
			f.add(piece{text: "%"})
			rest = rest[2:]
			continue
		}
		p, after, err := parseAtom(rest)
		if err != nil {
			return err
		}
		f.add(p)
		rest = after
	}
	return nil
}

// parseAtom reads %(name)s at the start of text.
func parseAtom(text string) (p piece, rest string, err error) {
	inner, found := strings.CutPrefix(text, "%(")
	if !found {
		return p, "", fmt.Errorf("%.10q is no atom; write %%(h)s, and %%%% for a percent sign", text)
	}
	name, rest, closed := strings.Cut(inner, ")")
	if !closed || rest == "" || rest[0] != 's' && rest[0] != 'd' {
		return p, "", fmt.Errorf("%.40q does not end with )s", text)
	}
	p, known := letters[name]
	if !known {
		if p, known = named(name); !known {
			return p, "", fmt.Errorf("there is no atom %q; there are h l u t r s m U q H b B f a T M D L p, "+
				"{field}i, {field}o, {variable}e, request_id, trace_id and queue_time", name)
		}
	}
	return p, rest[1:], nil
}

// named reads {name}i, {name}o and {name}e.
func named(text string) (piece, bool) {
	if len(text) < 4 || text[0] != '{' || text[len(text)-2] != '}' {
		return piece{}, false
	}
	p := piece{name: text[1 : len(text)-2]}
	switch text[len(text)-1] {
	case 'i':
		p.atom = field
	case 'o':
		p.atom = replyField
	case 'e':
		p.atom = variable
	default:
		return piece{}, false
	}
	return p, true
}
