package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// project is the Django project of testdata with a database and files of its own.
type project struct {
	dir     string
	env     []string
	static  string // where collectstatic put the files
	content []byte // of the file at /file/
}

func djangoProject(t *testing.T) project {
	t.Helper()
	path, content := fileOf(t, 300_000)
	p := project{dir: filepath.Join(world.root, "test/e2e/testdata/django"), static: filepath.Join(t.TempDir(), "static"), content: content}
	p.env = []string{
		"E2E_DATABASE=" + filepath.Join(t.TempDir(), "db.sqlite3"), "E2E_FILE=" + path, "E2E_STATIC=" + p.static,
		"PYTHONDONTWRITEBYTECODE=1",
	}
	prepare := exec.Command(world.python, "prepare.py")
	prepare.Dir, prepare.Env = p.dir, append(os.Environ(), p.env...)
	if said, err := prepare.CombinedOutput(); err != nil {
		t.Fatalf("prepare.py: %v\n%s", err, said)
	}
	return p
}

// serve runs the project with workers of a class.
func (p project) serve(t *testing.T, c class, env []string, args ...string) *service {
	t.Helper()
	app := "shop.wsgi"
	if c.name == "asgi" {
		app = "shop.asgi"
	}
	s := serve(t, launch{app: app, args: c.with(append(args, "-w", "2", "--chdir", p.dir)...), env: append(env, p.env...)})
	if c.name == "asgi" { // Django says that it iterates what is not asynchronous at once
		s.allow("Warning: StreamingHttpResponse must consume synchronous iterators", "async for part in response")
	}
	withCookies(t, s)
	s.host = "shop.test"
	return s
}

func TestDjango(t *testing.T) {
	t.Parallel()
	needFrameworks(t)
	eachClass(t, 1, testDjango)
}

func testDjango(t *testing.T, c class) {
	p := djangoProject(t)
	s := p.serve(t, c, nil)
	s.wants("/", 200, "hello from django")
	s.wants("/stream/", 200, "0\n1\n2\n")
	s.wants("/file/", 200, string(p.content))
	for n := range 3 {
		s.wants("/count/", 200, fmt.Sprint(n+1)) // the session is in the database
	}
	for n, want := range []string{`{"items": ["one"]}`, `{"items": ["one", "zwölf"]}`} {
		values := url.Values{"name": {[]string{"one", "zwölf"}[n]}}
		_, body := s.post("/items/", "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
		wantsJSON(t, "POST /items/", body, want)
	}
	_, body := s.get("/away/") // followed
	wantsJSON(t, "the redirect", body, `{"items": ["one", "zwölf"]}`)
	kind, upload := form(t, "note", "n", p.content)
	_, body = s.post("/upload/", kind, upload)
	wantsJSON(t, "the upload", body, fmt.Sprintf(`{"name": "notes.bin", "size": 300000, "sha256": "%x"}`, sha256.Sum256(p.content)))
	if status, _ := s.get("/nowhere/"); status != 404 {
		t.Errorf("GET /nowhere/: got %d, want 404", status)
	}
	response, err := s.web.Get(s.url("/"))
	if s.read(response, err); response.Header.Get("X-Stamp") != "GET" {
		t.Errorf("X-Stamp: got %q, want what the middleware sets", response.Header.Get("X-Stamp"))
	}
	s.allow("Traceback (most recent")
	if status, _ := s.get("/fail/"); status != 500 {
		t.Errorf("GET /fail/: got %d, want 500", status)
	}
	s.host = "elsewhere.test" // not among ALLOWED_HOSTS
	if status, _ := s.get("/"); status != 400 {
		t.Errorf("a strange host: got %d, want 400", status)
	}
	s.stop()
}

// token is the one that Django's forms must send back.
var token = regexp.MustCompile(`name="csrfmiddlewaretoken" value="(\w+)"`)

// submit fills in the form of a page and returns what comes of it.
func (s *service) submit(path string, values url.Values) (status int, body string) {
	s.t.Helper()
	_, page := s.get(path)
	found := token.FindStringSubmatch(page)
	if found == nil {
		s.t.Fatalf("%s has no form with a token: %s", path, brief(page))
	}
	values.Set("csrfmiddlewaretoken", found[1])
	return s.post(path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
}

// Somebody logs in to the admin, adds an item, changes and deletes it, and sees
// the style sheet, which WhiteNoise serves from within the application.
func TestDjangoAdmin(t *testing.T) {
	t.Parallel()
	needFrameworks(t)
	needModules(t, "whitenoise")
	p := djangoProject(t)
	eachClass(t, 1, func(t *testing.T, c class) {
		s := p.serve(t, c, []string{"E2E_WHITENOISE=1"})
		keeper := url.Values{"username": {"keeper"}, "password": {"of the tests"}}
		s.allow("Forbidden (CSRF")
		if status, _ := s.post("/admin/login/", "application/x-www-form-urlencoded", strings.NewReader(keeper.Encode())); status != 403 {
			t.Errorf("a login without a token: got %d, want 403", status)
		}
		if status, body := s.submit("/admin/login/?next=/admin/", keeper); status != 200 || !strings.Contains(body, "Site administration") {
			t.Fatalf("the login: got %d %q", status, brief(body))
		}
		name := "zwölf " + c.name
		if status, body := s.submit("/admin/shop/item/add/", url.Values{"name": {name}}); status != 200 || !strings.Contains(body, "was added successfully") {
			t.Errorf("adding: got %d %q", status, brief(body))
		}
		id := s.itemCalled(name)
		change := "/admin/shop/item/" + id
		if status, body := s.submit(change+"/change/", url.Values{"name": {name + "!"}}); status != 200 || !strings.Contains(body, name+"!") {
			t.Errorf("changing: got %d %q", status, brief(body))
		}
		if status, body := s.submit(change+"/delete/", url.Values{"post": {"yes"}}); status != 200 || !strings.Contains(body, "was deleted successfully") {
			t.Errorf("deleting: got %d %q", status, brief(body))
		}
		s.styled(p, "max-age=60, public")
		s.stop()
	})
}

// itemCalled finds an item in the admin's list.
func (s *service) itemCalled(name string) string {
	s.t.Helper()
	_, page := s.get("/admin/shop/item/")
	found := regexp.MustCompile(`/admin/shop/item/(\d+)/change/">` + regexp.QuoteMeta(name) + `<`).FindStringSubmatch(page)
	if found == nil {
		s.t.Fatalf("%q is not in the list: %s", name, page)
	}
	return found[1]
}

// styled asks for the admin's style sheet and compares it with the file.
func (s *service) styled(p project, control string) {
	s.t.Helper()
	want, err := os.ReadFile(filepath.Join(p.static, "admin/css/base.css"))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.web.Get(s.url("/static/admin/css/base.css"))
	status, body := s.read(response, err)
	if status != http.StatusOK || body != string(want) || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/css") {
		s.t.Errorf("the style sheet: got %d with %d bytes of %q", status, len(body), response.Header.Get("Content-Type"))
	}
	if got := response.Header.Get("Cache-Control"); got != control {
		s.t.Errorf("Cache-Control: got %q, want %q", got, control)
	}
}

// Django's collected files need neither WhiteNoise nor a worker.
func TestDjangoStaticFilesOfTheGateway(t *testing.T) {
	t.Parallel()
	needFrameworks(t)
	p := djangoProject(t)
	s := p.serve(t, class{name: "sync"}, nil, "--static", "/static="+p.static)
	s.styled(p, "public, max-age=60")
	s.wants("/", 200, "hello from django")
	if status, body := s.get("/admin/"); status != 200 || !strings.Contains(body, `href="/static/admin/css/base.css"`) {
		t.Errorf("the login page does not ask for the style sheet: %d %q", status, brief(body))
	}
	s.stop()
}
