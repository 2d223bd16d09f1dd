package unitfiles

import (
	"fmt"
	"strings"
)

// A File is one file that a generator writes.
type File struct {
	Path string // below the directory that systemd gave, with slashes
	Text string
}

// Files makes the drop-ins of an instance, in the order of their paths.
func (i *Instance) Files() []File {
	var files []File
	for _, f := range []File{
		{i.target(), i.wanted()},
		{"indrik@" + i.Name + ".service.d/50-unit.conf", i.service()},
		{"indrik@" + i.Name + ".socket.d/50-unit.conf", i.socket()},
	} {
		if f.Text != "" {
			files = append(files, f)
		}
	}
	return files
}

// target is the drop-in of what upholds the instance. A user's manager has no
// target for Indrik's alone, because nobody would enable it there.
func (i *Instance) target() string {
	if i.scope == User {
		return "default.target.d/50-indrik-" + i.Name + ".conf"
	}
	return "indrik.target.d/50-" + i.Name + ".conf"
}

// head begins every file, for the reader of `systemctl cat`.
func (i *Instance) head(section string) string {
	return fmt.Sprintf("# Made by indrik-generator from %s at each daemon-reload.\n[%s]\n", i.File, section)
}

// wanted makes the target uphold what is to run: unlike Wants= that starts it with
// the daemon-reload which finds it, the target being there already. SourcePath= is
// not said here, because the target comes from many files.
func (i *Instance) wanted() string {
	unit := "indrik@" + i.Name + ".socket"
	switch i.table.Start {
	case ByHand:
		return ""
	case AtBoot:
		unit += " indrik@" + i.Name + ".service"
	}
	return i.head("Unit") + "Upholds=" + unit + "\n"
}

func (i *Instance) service() string {
	t := i.table
	var b strings.Builder
	b.WriteString(i.head("Unit"))
	fmt.Fprintf(&b, "SourcePath=%s\n\n[Service]\n", plain(i.File))
	if t.Directory != "" {
		// Without the template's minus: a directory that was asked for must be there.
		fmt.Fprintf(&b, "WorkingDirectory=%s\n", plain(t.Directory))
	}
	if t.User != "" {
		fmt.Fprintf(&b, "DynamicUser=no\nUser=%s\n", t.User)
	}
	for _, p := range t.Writable {
		fmt.Fprintf(&b, "ReadWritePaths=%s\n", quoted(p))
	}
	for _, c := range t.Credentials {
		fmt.Fprintf(&b, "LoadCredential=%s\n", plain(c))
	}
	if t.MemoryMax != "" {
		fmt.Fprintf(&b, "MemoryMax=%s\n", t.MemoryMax) // the one assignment here without specifiers
	}
	return b.String()
}

func (i *Instance) socket() string {
	t := i.table
	var b strings.Builder
	b.WriteString(i.head("Unit"))
	fmt.Fprintf(&b, "SourcePath=%s\n\n[Socket]\n", plain(i.File))
	if len(t.Listen) > 0 {
		b.WriteString("ListenStream=\n") // forget the template's
	}
	for _, address := range t.Listen {
		fmt.Fprintf(&b, "ListenStream=%s\n", plain(address))
	}
	if t.SocketGroup != "" {
		fmt.Fprintf(&b, "SocketGroup=%s\n", t.SocketGroup)
	}
	if t.SocketMode != "" {
		fmt.Fprintf(&b, "SocketMode=%s\n", t.SocketMode)
	}
	return b.String()
}
