package unitfiles

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

// What is made of a file is reviewed as the units it becomes.
func TestFiles(t *testing.T) {
	sources, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(sources) < 3 {
		t.Fatalf("found %q, %v", sources, err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		i, err := Parse("/etc/indrik/"+filepath.Base(source), text, System)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var got strings.Builder
		for _, f := range i.Files() {
			got.WriteString("==> " + f.Path + " <==\n" + f.Text)
		}
		golden := strings.TrimSuffix(source, ".toml") + ".units"
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got.String() != string(want) {
			t.Errorf("%s: (%v) got\n%s\nwant\n%s", source, err, got.String(), want)
		}
	}
}

func TestFileWithoutTableMakesNothing(t *testing.T) {
	i, err := Parse("/etc/indrik/Any Name.toml", []byte("wsgi_app = 'a:b'\nno_setting = 1\n"), System)
	if i != nil || err != nil {
		t.Errorf("got %v, %v, want nothing: the template alone is used, by hand", i, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"shop.toml", "[unit]\nlistne = []\n", "/etc/indrik/shop.toml: line 2: [unit] has no key \"listne\"; it has start, listen"},
		{"shop.toml", "[unit\n", "/etc/indrik/shop.toml: line 1: "},
		{"shop.toml", "[unit]\nstart = 3\n", "/etc/indrik/shop.toml: line 2: "},
		{"Shop.toml", "[unit]\n", `"Shop" cannot be the name of an instance: at most 23 of`},
		{"-.toml", "[unit]\n", `"-" cannot be the name of an instance`},
		{"a23456789012345678901234.toml", "[unit]\n", "rename the file"},
		{"shop.toml", "[unit]\nstart = 'always'\n", `start is "always"; give socket, boot or no`},
		{"shop.toml", "[unit]\nuser = 'a\\nb'\n", `user is "a\\nb"; give the name of a user`},
		{"shop.toml", "[unit]\nuser = \"a\\nDynamicUser=no\"\n", "give the name of a user"},
		{"shop.toml", "[unit]\nsocket_mode = '888'\n", "socket_mode is \"888\"; give octal digits"},
		{"shop.toml", "[unit]\nmemory_max = '1 gigabyte'\n", `give a size like "512M" or "25%"`},
		{"shop.toml", "[unit]\ndirectory = 'srv'\n", `directory has "srv"; give an absolute path`},
		{"shop.toml", "[unit]\nwritable = [\"/srv/a\\nExecStart=/bin/sh\"]\n", "control characters"},
		{"shop.toml", "[unit]\ndirectory = '/srv/a\\'\n", "backslashes"},
		{"shop.toml", "[unit]\nlisten = ['localhost:8000']\n", `listen has "localhost:8000"; give a path, a port`},
		{"shop.toml", "[unit]\nlisten = ['127.0.0.1:0']\n", "give a path, a port"},
		{"shop.toml", "[unit]\nlisten = ['99999']\n", "give a path, a port"},
		{"shop.toml", "[unit]\ncredentials = ['/etc/key']\n", "give NAME:FILE"},
		{"shop.toml", "[unit]\ncredentials = ['a b:/etc/key']\n", "give NAME:FILE"},
		{"shop.toml", "[unit]\ncredentials = ['key:etc/key']\n", "absolute path"},
	} {
		i, err := Parse("/etc/indrik/"+c.file, []byte(c.text), System)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "/etc/indrik/") {
			t.Errorf("%q: got %v, %v, want an error with %q", c.text, i, err, c.want)
		}
	}
}

// A user's manager starts what users own with their default target, and can give
// them nobody else's rights.
func TestFilesOfUsers(t *testing.T) {
	const file = "/home/u/.config/indrik/own.toml"
	i, err := Parse(file, []byte("[unit]\nstart = 'boot'\ndirectory = '/home/u/shop'\n"), User)
	if err != nil {
		t.Fatal(err)
	}
	wanted := i.Files()[0]
	if wanted.Path != "default.target.d/50-indrik-own.conf" || !strings.Contains(wanted.Text, "\nUpholds=indrik@own.socket indrik@own.service\n") {
		t.Errorf("got %+v", wanted)
	}
	for _, text := range []string{"user = 'www'", "socket_group = 'www'", "writable = ['/srv']"} {
		if _, err := Parse(file, []byte("[unit]\n"+text+"\n"), User); err == nil || !strings.Contains(err.Error(), "/etc/indrik only") {
			t.Errorf("%s: got %v, want a refusal", text, err)
		}
	}
}

// What setup writes is what the generator reads.
func TestTableIsReadAsItWasWritten(t *testing.T) {
	want := Table{Start: ByHand, Listen: []string{"/run/a b.sock", "8000"}, Directory: `/srv/it's "ours"`, User: "www-data", MemoryMax: "1G"}
	text, err := want.Text()
	if err != nil {
		t.Fatal(err)
	}
	i, err := Parse("/etc/indrik/shop.toml", []byte(text), System)
	if err != nil || !reflect.DeepEqual(i.table, want) {
		t.Errorf("%s: got %+v, %v, want %+v", text, i, err, want)
	}
}

// Whatever a file says, what becomes of it is lines of the units meant, and each
// line an assignment: an error or clean text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"[unit]\nlisten=['/a b','%n']\n", "[unit]\ndirectory='/x%i'\nwritable=['/\"']\n", "unit=1", "[unit]\ncredentials=['a:/\\u0000']"} {
		f.Add("shop", seed)
	}
	known := []string{"SourcePath=", "Upholds=", "WorkingDirectory=", "DynamicUser=no", "User=", "ReadWritePaths=\"/", "LoadCredential=", "MemoryMax=", "ListenStream=", "SocketGroup=", "SocketMode=", "[Unit]", "[Service]", "[Socket]", "# Made by "}
	f.Fuzz(func(t *testing.T, name, text string) {
		i, err := Parse("/etc/indrik/"+name+".toml", []byte(text), System)
		if err != nil || i == nil {
			return
		}
		for _, file := range i.Files() {
			if strings.Contains(file.Path, "..") || strings.Count(file.Path, "/") != 1 {
				t.Errorf("path %q", file.Path)
			}
			for line := range strings.Lines(file.Text) {
				ok := line == "\n"
				for _, k := range known {
					ok = ok || strings.HasPrefix(line, k)
				}
				if !ok || strings.HasSuffix(line, "\\\n") {
					t.Errorf("line %q of %s", line, file.Path)
				}
			}
		}
	})
}
