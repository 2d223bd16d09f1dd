package main

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/logsink"
)

// events are the lines of the log, by their message, that the journal is given with an
// identity, so that they can be looked for and are explained (journalctl -x). An
// identity is for ever, whatever the message becomes; packaging/indrik.catalog
// has a text for each.
var events = map[string]string{
	"serving":                 "4bce6d964b4b4be6bef871f22c86b81c",
	"not ready any more":      "4b3f4efb08ee4da5b335d37a06ac7a87",
	"stopping":                "0e97d899807d4b269819566bf2d3cdfd",
	"stopped":                 "68a259d964254db7bfd60733ccd501d1",
	"reload begun":            "f26405c789534f6bb3af33facca00a92",
	"generation took over":    "620e8f6f77a94a5ea829ddb55b87e16f",
	"reload done":             "150f6b95435142fda0f727d120fb50b2",
	"reload failed":           "9040aa88b1cd434490796bdfa1c27e48",
	"rollback begun":          "cc80dca917bd4b699e02e833c899fe78",
	"rollback done":           "e01d9e29d5ec419fb9683e0f57f705fc",
	"rollback failed":         "1bd34367036e4a8a9ae690a003535ea7",
	"worker ended":            "a3c395e12ad842c7a66c00acc52091db",
	"gateway ended":           "638d193acc2441d1b0a900d24fd3945f",
	"mold ended":              "4d488918b6db476ea69f18dd556e39a1",
	"watchdog pings withheld": "4c7c37e17bbe4452800539c23dfb33b2",
	"watchdog pings resumed":  "05482588f80b4edbb73b4edc2b62f110",
}

// fieldNames are the journal's names of what lines have.
var fieldNames = map[string]string{
	"gen": "GENERATION", "slot": "SLOT", "cause": "CAUSE", "reason": "REASON", "error": "REASON", "status": "EXIT_STATUS", "signal": "SIGNAL",
}

// entryOf makes the journal's entry of a record without its time, if it is about an
// event. rest is what the entry has not: the lines of a long value.
//
// A record is what hclog writes: "[INFO]  indrik.master: serving: gen=1 ready=2".
func entryOf(level hclog.Level, record []byte) (entry, rest []byte) {
	line, rest, _ := bytes.Cut(record, []byte{'\n'})
	_, text, found := strings.Cut(string(line), "] ")
	logger, text, named := strings.Cut(strings.TrimLeft(text, " "), ": ")
	if !found || !named {
		return nil, nil
	}
	message, pairs, _ := strings.Cut(text, ": ")
	id, known := events[message]
	if !known {
		return nil, nil
	}
	add := func(name, value string) {
		entry = append(append(append(append(entry, name...), '='), strings.ReplaceAll(value, "\n", " ")...), '\n')
	}
	add("MESSAGE", string(line))
	add("MESSAGE_ID", id)
	add("PRIORITY", string(priority(level)))
	add("SYSLOG_IDENTIFIER", "indrik")
	add("INDRIK_LOGGER", logger)
	fields := fieldsOf(pairs, rest)
	pid := "PROCESS_PID"
	if message == "worker ended" {
		if pid = "WORKER_PID"; fields["reason"] == "" {
			fields["reason"] = fields["cause"]
		}
	}
	for key, value := range fields {
		switch name := fieldNames[key]; {
		case key == "pid":
			add(pid, value)
		case name != "":
			add(name, value)
		}
	}
	return append(entry, '\n'), rest
}

// fieldsOf takes pairs apart as hclog writes them: key=value, key="quoted value", and
// a value of several lines below, each after a bar.
func fieldsOf(pairs string, below []byte) map[string]string {
	fields := map[string]string{}
	for pairs = strings.TrimSpace(pairs); pairs != ""; pairs = strings.TrimLeft(pairs, " ") {
		key, rest, found := strings.Cut(pairs, "=")
		if !found {
			break
		}
		value, after, _ := strings.Cut(rest, " ")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			if whole, err := strconv.Unquote(quoted); err == nil {
				value, after = whole, rest[len(quoted):]
			}
		}
		fields[key], pairs = value, after
	}
	key := ""
	for line := range strings.Lines(string(below)) {
		line = strings.TrimSpace(line)
		if name, found := strings.CutSuffix(line, "="); found {
			key = name
		} else if text, found := strings.CutPrefix(line, "|"); found && key != "" {
			fields[key] = strings.TrimSpace(fields[key] + " " + strings.TrimSpace(text))
		}
	}
	return fields
}

// tellJournal gives the journal a record about an event with its fields. It returns
// what standard error is to have in its place, which is all if it is about none or
// the journal did not take it.
func (o *output) tellJournal(level hclog.Level, record []byte) []byte {
	if o.events == nil || o.file != nil {
		return record
	}
	entry, rest := entryOf(level, record)
	if entry == nil {
		return record
	}
	if lost, _ := o.events.Write(entry); lost > 0 { // the reason would be told to the same journal
		return record
	}
	return rest
}

// newEvents is the journal of a process whose standard error it reads.
func newEvents(journal bool) *logsink.Remote {
	if !journal {
		return nil
	}
	return logsink.NewJournal(logsink.JournalSocket)
}
