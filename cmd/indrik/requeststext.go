package main

import (
	"fmt"
	"strconv"

	"github.com/indrik/indrik/control"
)

// requestTable is for those that were asked for, so many at most.
func requestTable(all []control.Request, limit int) string {
	if len(all) == 0 {
		return "No request is in hand.\n"
	}
	rows := [][]string{{"AGE", "QUEUED", "STATE", "CLIENT", "SLOT", "SEAT", "GEN", "PID", "ID", "REQUEST"}}
	for i := range all {
		r := &all[i]
		rows = append(rows, []string{
			seconds(r.Age), seconds(r.Waited), r.State, orDash(r.Client != "", quotedWord(r.Client)), place(r.Slot), place(r.Seat),
			orDash(r.Generation != 0, strconv.Itoa(r.Generation)), orDash(r.PID != 0, strconv.Itoa(r.PID)), r.ID, requestText(r),
		})
	}
	text := table(rows...)
	if len(all) == limit {
		text += fmt.Sprintf("The oldest %d; --limit shows more.\n", limit)
	}
	return text
}

// place is a number that may not be known.
func place(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

// requestText is method and path, "-" if nobody knows them. The client chose both.
func requestText(r *control.Request) string {
	if r == nil || r.Method == "" {
		return "-"
	}
	return quotedWord(r.Method) + " " + quotedWord(r.Path)
}
