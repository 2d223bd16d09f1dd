package static

import (
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/indrik/indrik/gateway/negotiate"
)

// found is a file to be served.
type found struct {
	name string // below the mount
	file *os.File
	info fs.FileInfo
}

// suffix is what the name of a file in a content coding ends in.
func suffix(coding string) string {
	switch coding {
	case "br":
		return ".br"
	case "zstd":
		return ".zst"
	}
	return ".gz"
}

// serveFile answers with a file or with a variant of it. Conditions and ranges
// are net/http's business.
func (s *Site) serveFile(w http.ResponseWriter, r *http.Request, m *mount, f found) {
	kind := contentType(f.name)
	fields := w.Header()
	coding := ""
	if compresses(kind) {
		fields.Set("Vary", "Accept-Encoding")
		coding = s.chooseVariant(r, m, &f)
	}
	if coding != "" {
		defer func() { _ = f.file.Close() }() // ours; only read
		fields.Set("Content-Encoding", coding)
	}
	fields.Set("Content-Type", kind)
	fields.Set("Cache-Control", s.cacheControl(f.name))
	modified := f.info.ModTime()
	if now := s.now(); stamped(modified) {
		modified = time.Time{} // says nothing of the content
	} else {
		fields.Set("Etag", entityTag(f.info, coding, now))
		if modified.After(now) {
			modified = now // RFC 9110 section 8.8.2.1
		}
	}
	out := &response{ResponseWriter: w, site: s, request: r, size: f.info.Size()}
	http.ServeContent(out, sensible(r), f.name, modified, f.file)
}

// chooseVariant replaces f by the variant that the client likes best, and
// returns its coding. One that is older than the file was not made from it.
func (s *Site) chooseVariant(r *http.Request, m *mount, f *found) string {
	for _, coding := range negotiate.Encodings(accepted(r, "Accept-Encoding"), "br", "zstd", "gzip") {
		file, info, err := m.open(f.name + suffix(coding))
		if err != nil {
			continue
		}
		if info.Mode().IsRegular() && !info.ModTime().Before(f.info.ModTime()) {
			f.file, f.info = file, info
			return coding
		}
		_ = file.Close() // only read
	}
	return ""
}

// mostRanges is how many parts of a file one request may ask for; one that asks
// for more gets the whole (RFC 9110 section 14.2 advises against serving them).
const mostRanges = 32

// sensible leaves out a Range field that net/http would refuse or serve where
// RFC 9110 section 14.2 wants it ignored: with HEAD, or in an unknown unit; and
// one that asks for more parts than anybody reads.
func sensible(r *http.Request) *http.Request {
	ranges := r.Header.Get("Range")
	if ranges == "" || r.Method == http.MethodGet && strings.HasPrefix(ranges, "bytes=") && strings.Count(ranges, ",") < mostRanges {
		return r
	}
	without := *r
	without.Header = r.Header.Clone()
	without.Header.Del("Range")
	return &without
}

// stamped reports a time of modification that some tool gave to all files, so
// that their archive can be made again byte for byte: Nix takes 1970, zip and
// Bazel 1980. Two releases of a file have the same, so it must not validate a
// client's copy.
func stamped(t time.Time) bool { return t.Year() < 1981 }

// entityTag is made of time of modification, size and coding. It is a strong
// one when the time is long enough ago to have been the last change; until
// then it is weak, which keeps ranges of two versions from being put together.
func entityTag(info fs.FileInfo, coding string, now time.Time) string {
	b := make([]byte, 0, 64)
	if now.Sub(info.ModTime()) < unsettled {
		b = append(b, "W/"...)
	}
	b = strconv.AppendInt(append(b, '"'), info.ModTime().UnixNano(), 16)
	b = strconv.AppendInt(append(b, '-'), info.Size(), 16)
	if coding != "" {
		b = append(append(b, '-'), coding...)
	}
	return string(append(b, '"'))
}

// cacheControl says how long a copy is good for.
func (s *Site) cacheControl(name string) string {
	const forever = "public, max-age=31536000, immutable" // a year, RFC 9111's customary limit
	switch {
	case s.immutable != nil && s.immutable.MatchString("/"+name):
		return forever
	case s.immutable == nil && hashed(path.Base(name)):
		return forever
	case s.config.MaxAge < time.Second:
		return "no-cache" // keep it, but ask
	}
	return "public, max-age=" + strconv.FormatInt(int64(s.config.MaxAge/time.Second), 10)
}

// hashed reports a name that has a digest of the content between two dots, as
// Django and many bundlers write it: 8 to 64 hexadecimal digits in lower case,
// with a digit and a letter among them, so that dates are none.
func hashed(name string) bool {
	parts := strings.Split(name, ".")
	for i := 1; i < len(parts)-1; i++ {
		part := parts[i]
		if len(part) >= 8 && len(part) <= 64 && strings.Trim(part, "0123456789abcdef") == "" &&
			strings.ContainsAny(part, "0123456789") && strings.ContainsAny(part, "abcdef") {
			return true
		}
	}
	return false
}

// response is between net/http's ServeContent and the client: it declares the
// length of encoded files, and has refusals written by the Site.
type response struct {
	http.ResponseWriter
	site    *Site
	request *http.Request
	size    int64
	refused bool
}

// WriteHeader is called once by ServeContent.
func (r *response) WriteHeader(status int) {
	fields := r.Header()
	switch {
	case status >= 400:
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Last-Modified", "Etag", "Cache-Control", "X-Content-Type-Options"} {
			fields.Del(name)
		}
		r.refused = true
		r.site.refuse(r.ResponseWriter, r.request, status, nil)
		return
	case status == http.StatusOK && fields.Get("Content-Length") == "":
		fields.Set("Content-Length", strconv.FormatInt(r.size, 10))
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write drops ServeContent's own words about a refusal.
func (r *response) Write(p []byte) (int, error) {
	if r.refused {
		return len(p), nil
	}
	return r.ResponseWriter.Write(p)
}

// ReadFrom lets a writer below that can send files do so.
func (r *response) ReadFrom(from io.Reader) (int64, error) {
	if to, ok := r.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(from)
	}
	return io.Copy(struct{ io.Writer }{r.ResponseWriter}, from)
}
