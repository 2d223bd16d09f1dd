package static

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"syscall"
)

const allowed = "GET, HEAD, OPTIONS"

// ServeHTTP serves one request. With Config.Fallthrough it is for requests that
// no application is behind; use [Site.Serve] where one is.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Serve(w, r) {
		s.refuse(w, r, http.StatusNotFound, nil)
	}
}

// Serve serves one request. It returns false, and has written nothing, if the
// request is the application's: no mount holds its path, or nothing is there
// and Config.Fallthrough is set. The body of the request is not read.
//
// What is served is named by r.URL.Path; r.RequestURI, or r.URL without it, says
// how that was written.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request) bool {
	m, rest := s.find([]byte(r.URL.Path))
	if m == nil {
		return false
	}
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
	case s.config.Fallthrough:
		return false
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allowed)
		w.WriteHeader(http.StatusNoContent)
		return true
	default:
		w.Header().Set("Allow", allowed)
		s.refuse(w, r, http.StatusMethodNotAllowed, nil)
		return true
	}
	name, slash, ok := fileName(string(rest), rawPath(r), s.config.Dotfiles)
	var err error = fs.ErrNotExist
	if ok {
		err = s.serveName(w, r, m, name, slash)
	}
	if err == nil {
		return true
	}
	status := statusOf(err)
	if status == http.StatusNotFound {
		if s.config.Fallthrough {
			return false
		}
		err = nil // says no more than the status
	}
	s.refuse(w, r, status, err)
	return true
}

// rawPath is the path as the client wrote it.
func rawPath(r *http.Request) string {
	if r.RequestURI == "" {
		return r.URL.EscapedPath()
	}
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	return raw
}

// serveName serves a file, the index of a directory, or the way to it. On an
// error nothing was written.
func (s *Site) serveName(w http.ResponseWriter, r *http.Request, m *mount, name string, slash bool) error {
	file, info, err := m.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	switch {
	case info.IsDir() && slash:
		index, indexInfo, err := m.open(path.Join(name, indexFile))
		if err != nil {
			return err
		}
		defer func() { _ = index.Close() }() // only read
		if !indexInfo.Mode().IsRegular() {
			return fs.ErrNotExist
		}
		s.serveFile(w, r, m, found{path.Join(name, indexFile), index, indexInfo})
	case info.IsDir():
		return s.redirect(w, r, m, name)
	case slash || !info.Mode().IsRegular():
		return fs.ErrNotExist
	default:
		s.serveFile(w, r, m, found{name, file, info})
	}
	return nil
}

// redirect leads to a directory's path with a slash, where the links of its
// index work, if it has one. The reference is relative, so it holds whatever a
// proxy in front has taken off the path.
func (s *Site) redirect(w http.ResponseWriter, r *http.Request, m *mount, name string) error {
	index, _, err := m.open(path.Join(name, indexFile))
	if err != nil {
		return err
	}
	_ = index.Close() // it was only to be there
	to := url.URL{Path: path.Base(r.URL.Path) + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", to.String())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// statusOf maps what the kernel said of a name. What lies outside of the
// directory is as good as missing.
func statusOf(err error) int {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return http.StatusServiceUnavailable
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT):
		return http.StatusInternalServerError
	}
	return http.StatusNotFound
}

func (s *Site) refuse(w http.ResponseWriter, r *http.Request, status int, cause error) {
	if s.config.Refuse != nil {
		s.config.Refuse(w, r, status, cause)
		return
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// accepted joins the fields of a name as lists are.
func accepted(r *http.Request, name string) string { return strings.Join(r.Header[name], ",") }
