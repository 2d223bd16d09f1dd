package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// Identities of systemd's own messages, from systemd/sd-messages.h.
const (
	UnitStarted  = "39f53479d3a045ac8e11786248231fbf" // the start job ended well: the unit is up
	UnitStopping = "de5b426a63be47a7b6ac3eaac82e2f6f" // a stop job began
)

// An Entry is one line of the journal.
type Entry struct {
	Cursor    string // place in the journal, for journalctl --after-cursor
	Message   string // what was written, without the end of line
	MessageID string // identity of a message that systemd documents, or ""
	PID       string // of the process that wrote it
	Priority  string // "0" (emergency) to "7" (debug)
	Unit      string // unit of the process that wrote it
	Time      time.Time
}

// UnmarshalJSON reads a line of `journalctl --output=json`, where a message
// that is not plain text comes as an array of bytes; see journalctl(1).
func (e *Entry) UnmarshalJSON(data []byte) error {
	var raw struct {
		Cursor    string          `json:"__CURSOR"`
		Message   json.RawMessage `json:"MESSAGE"`
		MessageID string          `json:"MESSAGE_ID"`
		PID       string          `json:"_PID"`
		Priority  string          `json:"PRIORITY"`
		Unit      string          `json:"_SYSTEMD_UNIT"`
		Time      int64           `json:"__REALTIME_TIMESTAMP,string"` // microseconds
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*e = Entry{Cursor: raw.Cursor, MessageID: raw.MessageID, PID: raw.PID, Priority: raw.Priority, Unit: raw.Unit, Time: time.UnixMicro(raw.Time)}
	if len(raw.Message) == 0 || json.Unmarshal(raw.Message, &e.Message) == nil {
		return nil
	}
	var numbers []int
	if err := json.Unmarshal(raw.Message, &numbers); err != nil {
		return fmt.Errorf("read MESSAGE of the journal: %w", err)
	}
	text := make([]byte, len(numbers))
	for i, n := range numbers {
		text[i] = byte(n)
	}
	e.Message = string(text)
	return nil
}

// Journal returns what is in the journal about a unit, from it and from
// systemd, oldest first. A cursor that is not "" leaves out everything up to it.
func (l *Lab) Journal(ctx context.Context, unit, after string) ([]Entry, error) {
	if _, err := l.Run(ctx, "journalctl", "--sync"); err != nil {
		return nil, err
	}
	out, err := l.Run(ctx, journalctl(unit, after)...)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var e Entry
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return entries, nil
		} else if err != nil {
			return nil, fmt.Errorf("read journal of %s: %w", unit, err)
		}
		if e.Cursor != after {
			entries = append(entries, e)
		}
	}
}

// Cursor returns the present end of the journal.
func (l *Lab) Cursor(ctx context.Context) (string, error) {
	out, err := l.Run(ctx, "journalctl", "--output=json", "--lines=1")
	if err != nil {
		return "", err
	}
	var e Entry
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		return "", fmt.Errorf("read the end of the journal: %w", err)
	}
	return e.Cursor, nil
}

// Await follows the journal of a unit from a cursor on and returns the first
// entry that match accepts. It fails when the context ends first, and then
// names the entries that it saw.
func (l *Lab) Await(ctx context.Context, unit, after string, match func(Entry) bool) (Entry, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := append(journalctl(unit, after), "--follow", "--no-tail")
	cmd := l.Command(ctx, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return Entry{}, err
	}
	if err := cmd.Start(); err != nil {
		return Entry{}, fmt.Errorf("follow journal of %s: %w", unit, err)
	}
	defer reapCancelled(cmd, cancel)
	var seen []string
	for d := json.NewDecoder(lines); ; {
		var e Entry
		if err := d.Decode(&e); err != nil {
			return Entry{}, fmt.Errorf("follow journal of %s: %w (%s); seen:\n%s", unit,
				errors.Join(ctx.Err(), err), said.String(), strings.Join(seen, "\n"))
		}
		if e.Cursor == after {
			continue
		}
		if match(e) {
			return e, nil
		}
		seen = append(seen, e.Message)
	}
}

// reapCancelled ends a command that would go on for ever. Its status says only
// that it was killed.
func reapCancelled(cmd *exec.Cmd, cancel context.CancelFunc) {
	cancel()
	_ = cmd.Wait()
}

// journalctl is the command for a unit's entries from a cursor on, the one at the
// cursor among them if it is the unit's. Before systemd 254, --after-cursor leaves
// out the unit's next entry where the one at the cursor is another unit's: it
// skips two, and takes the first to be the one at the cursor.
func journalctl(unit, from string) []string {
	args := []string{"journalctl", "--quiet", "--output=json", "--unit=" + unit}
	if from != "" {
		args = append(args, "--cursor="+from)
	}
	return args
}
