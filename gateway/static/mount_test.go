package static

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestParseMount(t *testing.T) {
	for text, want := range map[string]string{
		"/static=a/b": "/static a/b", " /s/ = /x ": "/s/ /x", "/=x": "/ x", "/a/b=c=d": "/a/b c=d",
		"static=x": "does not begin", "/static": "write it like", "/static=": "write it like", "=x": "does not begin",
		"/a/../b=x": "plain path", "/a//b=x": "plain path", "/a%20b=x": "plain path", "//=x": "plain path", "/a?=x": "plain path",
	} {
		m, err := ParseMount(text)
		if got := fmt.Sprint(m.Prefix, " ", m.Dir, err); !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestRefusedConfigurations(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	for want, c := range map[string]Config{
		"missing":              {Mounts: at("/s", dir+"/missing")},
		"is no directory":      {Mounts: at("/s", dir+"/file")},
		"hide the whole":       {Mounts: at("/", dir)},
		"two directories":      {Mounts: []Mount{{"/s", dir}, {"/s/", dir}}},
		"immutable names: err": {Mounts: at("/s", dir), Immutable: "("},
	} {
		if err := Check(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := Check(Config{Mounts: at("/s", dir)}); err != nil {
		t.Errorf("a directory: %v", err)
	}
}

func TestTheLongestPrefixWins(t *testing.T) {
	one, two := plant(t, map[string]string{"a": "short", "b/a": "short"}), plant(t, map[string]string{"a": "long"})
	s := open(t, Config{Mounts: []Mount{{"/s", one}, {"/s/b", two}, {"/", one}}, Fallthrough: true})
	for target, want := range map[string]string{"/s/a": "short", "/s/b/a": "long", "/a": "short", "/s/bb": ""} {
		if got := ask(s, "GET", target).Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}

// What the application answers must be told from what is a file without work,
// since every request is asked for it.
func TestClaims(t *testing.T) {
	dir := plant(t, map[string]string{"robots.txt": "x", "assets/a.js": "a", "index.html": "home"})
	files := open(t, Config{Mounts: at("/static", dir)})
	rooted := open(t, Config{Mounts: at("/", dir), Fallthrough: true})
	for _, c := range []struct {
		site         *Site
		method, path string
		want         bool
	}{
		{nil, "GET", "/", false},
		{files, "GET", "/static/x", true}, {files, "POST", "/static/x", true}, {files, "GET", "/static", true},
		{files, "GET", "/static/%zz", true},
		{files, "GET", "/staticx", false}, {files, "GET", "/", false}, {files, "OPTIONS", "*", false}, {files, "GET", "/%zz", false},
		{rooted, "GET", "/", true}, {rooted, "HEAD", "/robots.txt", true}, {rooted, "GET", "/assets/missing", true},
		{rooted, "GET", "/orders/5", false}, {rooted, "POST", "/", false}, {rooted, "POST", "/robots.txt", false},
	} {
		if got := c.site.Claims([]byte(c.method), []byte(c.path)); got != c.want {
			t.Errorf("%s %s: got %v, want %v", c.method, c.path, got, c.want)
		}
	}
	method, path := []byte("GET"), []byte("/orders/5")
	if n := testing.AllocsPerRun(100, func() { rooted.Claims(method, path) }); n > 0 {
		t.Errorf("%v allocations to tell that a request is the application's", n)
	}
}

func TestWhatFallsThrough(t *testing.T) {
	dir := plant(t, map[string]string{"a.js": "a", "d/x": "x"})
	s := open(t, Config{Mounts: at("/", dir), Fallthrough: true})
	for _, c := range []struct {
		method, path string
		served       bool
	}{
		{"GET", "/a.js", true}, {"HEAD", "/a.js", true}, {"POST", "/a.js", false}, {"OPTIONS", "/a.js", false},
		{"GET", "/d/missing", false}, {"GET", "/d/", false}, {"GET", "/d", false}, {"GET", "/../a.js", false},
	} {
		w := httptest.NewRecorder()
		r := &http.Request{Method: c.method, URL: &url.URL{Path: c.path}, Header: http.Header{}}
		if got := s.Serve(w, r); got != c.served || !got && len(w.Header()) > 0 {
			t.Errorf("%s %s: served %v with %v, want %v", c.method, c.path, got, w.Header(), c.served)
		}
	}
}

// A release is put in place by moving a symbolic link, and files are added while
// the service runs.
func TestDirectoriesThatChange(t *testing.T) {
	base := t.TempDir()
	write(t, filepath.Join(base, "one/a"), "first")
	write(t, filepath.Join(base, "two/a"), "second")
	link := filepath.Join(base, "current")
	need(t, os.Symlink("one", link))
	s := open(t, Config{Mounts: at("/", link), Fallthrough: true})
	seen := func(target, want string) {
		t.Helper()
		need(t, s.Refresh())
		if got := ask(s, "GET", target).Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
		if claims := s.Claims([]byte("GET"), []byte(target)); claims != (want != "") {
			t.Errorf("%s: claimed %v", target, claims)
		}
	}
	seen("/a", "first")
	need(t, os.Remove(link))
	if err := s.Refresh(); err == nil || !strings.Contains(err.Error(), "current") {
		t.Errorf("a directory that is gone: %v", err)
	}
	if got := ask(s, "GET", "/a").Body.String(); got != "first" {
		t.Errorf("what was open is lost: %q", got)
	}
	need(t, os.Symlink("two", link))
	seen("/a", "second")
	seen("/b", "")
	write(t, filepath.Join(base, "two/b"), "added")
	seen("/b", "added")
	need(t, os.Remove(filepath.Join(base, "two/b")))
	seen("/b", "")
}

// A directory that appears after the start is served from then on.
func TestADirectoryThatComesLate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "late")
	s := open(t, Config{Mounts: at("/s", dir)})
	if w := ask(s, "GET", "/s/a"); w.Code != 404 || s.Refresh() == nil {
		t.Errorf("got %d without a directory", w.Code)
	}
	write(t, filepath.Join(dir, "a"), "here")
	need(t, s.Refresh())
	if w := ask(s, "GET", "/s/a"); w.Body.String() != "here" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

// A directory with too many names for memory is served all the same.
func TestADirectoryOfManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range mostNames + 1 {
		need(t, os.Symlink("x", filepath.Join(dir, fmt.Sprint(i))))
	}
	s := open(t, Config{Mounts: at("/", dir), Fallthrough: true})
	if !s.Claims([]byte("GET"), []byte("/anything")) {
		t.Error("names that are not known are taken for missing")
	}
}

// Requests and the replacement of a directory meet without one failing.
func TestRequestsWhileTheDirectoryIsReplaced(t *testing.T) {
	base := t.TempDir()
	write(t, filepath.Join(base, "0/a"), "a")
	write(t, filepath.Join(base, "1/a"), "a")
	link := filepath.Join(base, "current")
	need(t, os.Symlink("0", link))
	s := open(t, Config{Mounts: at("/s", link)})
	stop := make(chan bool)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if w := ask(s, "GET", "/s/a"); w.Code != 200 {
					t.Errorf("got %d", w.Code)
					return
				}
			}
		})
	}
	for i := range 100 {
		next := link + ".next"
		need(t, os.Symlink(fmt.Sprint(i%2), next))
		need(t, os.Rename(next, link))
		need(t, s.Refresh())
	}
	close(stop)
	readers.Wait()
}

func TestStatuses(t *testing.T) {
	for status, err := range map[int]error{
		403: os.ErrPermission, 404: os.ErrNotExist, 503: &os.PathError{Op: "openat", Err: syscall.EMFILE},
		500: &os.PathError{Op: "openat", Err: syscall.EIO},
	} {
		if got := statusOf(err); got != status {
			t.Errorf("%v: got %d, want %d", err, got, status)
		}
	}
	if got := statusOf(errors.New("path escapes from parent")); got != 404 {
		t.Errorf("a way out: %d", got)
	}
}

// Refusals are written by the owner, with the cause.
func TestRefuse(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root is refused nothing; the cause is not tested")
	}
	dir := plant(t, map[string]string{"a.txt": "0123", "locked": "x"})
	need(t, os.Chmod(filepath.Join(dir, "locked"), 0))
	var said []string
	s := open(t, Config{Mounts: at("/s", dir), Refuse: func(w http.ResponseWriter, r *http.Request, status int, cause error) {
		said = append(said, fmt.Sprintf("%s %d %v %v", r.URL.Path, status, cause, w.Header()))
		w.WriteHeader(status)
	}})
	ask(s, "GET", "/s/none")
	ask(s, "POST", "/s/a.txt")
	ask(s, "GET", "/s/a.txt", "Range", "bytes=9-")
	want := []string{"/s/none 404 <nil> map[]", "/s/a.txt 405 <nil> map[Allow:[GET, HEAD, OPTIONS]]", "/s/a.txt 416 <nil> map[Content-Range:[bytes */4] Vary:[Accept-Encoding]]"}
	if fmt.Sprint(said) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", said, want)
	}
	if os.Geteuid() != 0 {
		ask(s, "GET", "/s/locked")
		if last := said[len(said)-1]; !strings.Contains(last, "403") || !strings.Contains(last, "permission") {
			t.Errorf("a file that may not be read: %q", last)
		}
	}
}

// FuzzNames looks for a path that opens what is not in the directory.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"/a", "/../a", "/%2e%2e/a", "/a%00", "/./.env", "//x", "/a/", "/\\x"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw string) {
		plain, err := url.PathUnescape(raw)
		if err != nil || raw != "" && raw[0] != '/' {
			return
		}
		name, _, ok := fileName(plain, raw, false)
		if !ok {
			return
		}
		if !filepath.IsLocal(name) || strings.Contains(name, "\x00") {
			t.Fatalf("%q gives the name %q", raw, name)
		}
		if at := filepath.Join(dir, name); at != dir && !strings.HasPrefix(at, dir+"/") {
			t.Errorf("%q leads to %s", raw, at)
		}
		for i, part := range strings.Split(name, "/") {
			if name != "." && strings.HasPrefix(part, ".") && !(i == 0 && part == wellKnown) {
				t.Errorf("%q shows the hidden %q", raw, name)
			}
		}
	})
}
