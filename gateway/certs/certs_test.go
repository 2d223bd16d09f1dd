package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files makes certificates in a directory.
type files struct {
	t   *testing.T
	dir string
}

// make signs a certificate by its own key and returns both in PEM.
func (f files) make(key any, until time.Time, names ...string) (certificate, private []byte) {
	f.t.Helper()
	var public any
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		public = &k.PublicKey
	case *rsa.PrivateKey:
		public = &k.PublicKey
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	check(f.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(f.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

func (f files) write(name string, parts ...[]byte) string {
	f.t.Helper()
	check(f.t, os.MkdirAll(filepath.Dir(f.path(name)), 0o700))
	var text []byte
	for _, p := range parts {
		text = append(text, p...)
	}
	check(f.t, os.WriteFile(f.path(name), text, 0o600))
	return f.path(name)
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func soon() time.Time { return time.Now().Add(time.Hour) }

// What is wrong is told by the name of the setting and the file, before
// anybody is served.
func TestWhatCannotBeUsedIsNamed(t *testing.T) {
	f := files{t, t.TempDir()}
	cert, key := f.make(ecKey(t), soon(), "a")
	_, otherKey := f.make(ecKey(t), soon(), "b")
	good := f.write("good.pem", cert, key)
	certOnly, keyOnly, other := f.write("cert.pem", cert), f.write("key.pem", key), f.write("other.pem", otherKey)
	encrypted := f.write("encrypted.pem", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	broken := f.write("broken.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), key)
	check(t, os.Mkdir(f.path("empty"), 0o700))
	one := func(path string) []string { return []string{path} }
	for name, c := range map[string]struct {
		options Options
		want    []string // parts of the error; none for no error
	}{
		"combined":          {Options{Certificates: one(good)}, nil},
		"separate":          {Options{Certificates: one(certOnly), Keys: one(keyOnly)}, nil},
		"no certificate":    {Options{Keys: one(keyOnly)}, []string{"keyfile is set and certfile is not"}},
		"missing":           {Options{Certificates: one(f.path("none"))}, []string{"certfile", f.path("none"), "no such file"}},
		"missing key":       {Options{Certificates: one(certOnly), Keys: one(f.path("none"))}, []string{"keyfile", f.path("none")}},
		"key in neither":    {Options{Certificates: one(certOnly)}, []string{"keyfile", certOnly, "no private key"}},
		"other's key":       {Options{Certificates: one(certOnly), Keys: one(other)}, []string{other, "is not that of", certOnly}},
		"encrypted key":     {Options{Certificates: one(certOnly), Keys: one(encrypted)}, []string{encrypted, "encrypted"}},
		"swapped":           {Options{Certificates: one(keyOnly), Keys: one(certOnly)}, []string{keyOnly, "no certificate"}},
		"broken":            {Options{Certificates: one(broken)}, []string{broken}},
		"fewer keys":        {Options{Certificates: []string{good, good}, Keys: one(good)}, []string{"1 keys for 2"}},
		"empty directory":   {Options{Certificates: one(f.path("empty"))}, []string{f.path("empty"), "no certificate in the directory"}},
		"directory and key": {Options{Certificates: one(f.path("empty")), Keys: one(good)}, []string{"leave keyfile empty"}},
		"device":            {Options{Certificates: one("/dev/zero")}, []string{"/dev/zero", "too large"}},
		"clients, no ca":    {Options{Certificates: one(good), Clients: RequiredCertificate}, []string{"ca_certs is not set"}},
		"clients, bad ca":   {Options{Certificates: one(good), Clients: RequiredCertificate, ClientCAs: keyOnly}, []string{"ca_certs", keyOnly}},
		"clients":           {Options{Certificates: one(good), Clients: RequiredCertificate, ClientCAs: certOnly}, nil},
		"version":           {Options{Certificates: one(good), Minimum: "0.9"}, []string{"0.9"}},
		"ciphers":           {Options{Certificates: one(good), Ciphers: "ECDHE+AESGCM"}, []string{"ECDHE+AESGCM"}},
	} {
		_, _, err := Load(c.options)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
	}
}

// The service goes on with an expired certificate, for it may be all there is,
// and says so.
func TestExpiredCertificatesAreToldOf(t *testing.T) {
	f := files{t, t.TempDir()}
	cert, key := f.make(ecKey(t), time.Now().Add(-time.Hour), "a")
	early, earlyKey := f.make(ecKey(t), time.Now().Add(100*time.Hour), "b")
	_, warnings, err := Load(Options{Certificates: []string{f.write("old.pem", cert, key), f.write("early.pem", early, earlyKey)}})
	check(t, err)
	if len(warnings) != 2 || !strings.Contains(warnings[0], "old.pem expired on") || !strings.Contains(warnings[1], "early.pem is not valid before") {
		t.Errorf("got %q", warnings)
	}
}

// hello asks for a name as a client does that speaks both kinds of keys, or
// RSA only.
func hello(name string, rsaOnly bool) *tls.ClientHelloInfo {
	h := &tls.ClientHelloInfo{
		ServerName: name, SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256},
		SupportedCurves:  []tls.CurveID{tls.X25519},
	}
	if rsaOnly {
		h.SignatureSchemes = h.SignatureSchemes[1:]
	}
	return h
}

// Each client gets the certificate for the name it asked for, with a key that
// it can use.
func TestChoiceByName(t *testing.T) {
	f := files{t, t.TempDir()}
	put := func(file string, key any, names ...string) {
		cert, private := f.make(key, soon(), names...)
		if strings.Contains(file, "fullchain") {
			f.write(filepath.Dir(file)+"/privkey.pem", private)
			f.write(file, cert)
			return
		}
		f.write(file, cert, private)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	put("a-first.pem", ecKey(t), "first.example")
	put("b-wild.pem", ecKey(t), "*.example.org", "Example.org")
	put("c-exact.crt", ecKey(t), "www.example.org")
	put("d-rsa.pem", rsaKey, "www.example.org")
	put("live.example/fullchain.pem", ecKey(t), "live.example", "127.0.0.1")
	f.write("README", []byte("not a certificate"))
	s, _, err := Load(Options{Certificates: []string{f.dir}})
	check(t, err)
	for _, c := range []struct {
		name    string
		rsaOnly bool
		want    string // common name
		rsa     bool
	}{
		{"first.example", false, "first.example", false},
		{"www.example.org", false, "www.example.org", false},
		{"www.example.org", true, "www.example.org", true},
		{"WWW.EXAMPLE.ORG.", false, "www.example.org", false},
		{"api.example.org", false, "*.example.org", false},
		{"example.org", false, "*.example.org", false},
		{"a.b.example.org", false, "first.example", false}, // a wildcard stands for one label
		{"live.example", false, "live.example", false},
		{"127.0.0.1", false, "live.example", false},
		{"unknown.example", false, "first.example", false},
		{"unknown.example", true, "www.example.org", true}, // better a wrong name than no handshake
		{"", false, "first.example", false},
	} {
		got, err := s.Config().GetCertificate(hello(c.name, c.rsaOnly))
		if err != nil {
			t.Errorf("%q: %v", c.name, err)
			continue
		}
		_, isRSA := got.PrivateKey.(*rsa.PrivateKey)
		if got.Leaf.Subject.CommonName != c.want || isRSA != c.rsa {
			t.Errorf("%q (RSA only: %v): got %s, RSA %v", c.name, c.rsaOnly, got.Leaf.Subject.CommonName, isRSA)
		}
	}
}

// Certificate and key are replaced one after the other: nothing is read until
// both are there, and what is broken changes nothing and is told once.
func TestRefresh(t *testing.T) {
	f := files{t, t.TempDir()}
	cert, key := f.make(ecKey(t), soon(), "one")
	certFile, keyFile := f.write("c.pem", cert), f.write("k.pem", key)
	s, _, err := Load(Options{Certificates: []string{certFile}, Keys: []string{keyFile}})
	check(t, err)
	serves := func(want string) {
		t.Helper()
		c, err := s.Config().GetCertificate(hello("", false))
		check(t, err)
		if c.Leaf.Subject.CommonName != want {
			t.Errorf("serves %q, want %q", c.Leaf.Subject.CommonName, want)
		}
	}
	refresh := func(wantChanged bool, wantError string) {
		t.Helper()
		changed, _, err := s.Refresh()
		text := ""
		if err != nil {
			text = err.Error()
		}
		if changed != wantChanged || (text == "") != (wantError == "") || !strings.Contains(text, wantError) {
			t.Errorf("changed %v, error %q; want %v, %q", changed, text, wantChanged, wantError)
		}
	}
	refresh(false, "")
	cert, key = f.make(ecKey(t), soon(), "twoo")
	f.write("c.pem", cert)
	refresh(false, "") // the key has not come yet
	f.write("k.pem", key)
	refresh(false, "") // just now
	refresh(true, "")
	serves("twoo")
	refresh(false, "")

	check(t, os.Remove(keyFile))
	refresh(false, "")
	refresh(false, "k.pem")
	refresh(false, "") // told
	serves("twoo")
	f.write("k.pem", key)
	refresh(false, "")
	refresh(true, "")

	// A symbolic link that is turned to another directory, as Kubernetes does it.
	cert, key = f.make(ecKey(t), soon(), "three")
	f.write("new/c.pem", cert, key)
	check(t, os.Symlink(certFile, f.path("link")))
	s, _, err = Load(Options{Certificates: []string{f.path("link")}, Keys: []string{keyFile}})
	check(t, err)
	s.options.Keys = nil
	check(t, os.Symlink(f.path("new/c.pem"), f.path("link2")))
	check(t, os.Rename(f.path("link2"), f.path("link")))
	refresh(false, "")
	refresh(true, "")
	serves("three")
}

func TestCipherLists(t *testing.T) {
	for _, c := range []struct {
		list string
		want []uint16
		bad  bool
	}{
		{"", nil, false},
		{"DEFAULT", nil, false},
		{"HIGH:!aNULL:!MD5", nil, false},
		{"ECDHE-RSA-AES128-GCM-SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, false},
		{"TLS_AES_128_GCM_SHA256:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, false},
		{"ECDHE-RSA-CHACHA20-POLY1305, DHE-RSA-AES128-GCM-SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}, false},
		{"AES128-SHA:AES256-SHA:!AES128-SHA", []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}, false},
		{"DHE-RSA-AES128-GCM-SHA256", nil, true},
		{"ECDHE+AESGCM", nil, true},
		{"HIGH:!ECDHE+AES", nil, true},
		{"FOO", nil, true},
		{"HIGH:!SHA", nil, true}, // it would take away what we do offer
	} {
		got, err := parseCiphers(c.list)
		if (err != nil) != c.bad || len(got) != len(c.want) {
			t.Errorf("%q: got %v, %v", c.list, got, err)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: got %v, want %v", c.list, got, c.want)
			}
		}
	}
	_, err := Options{Ciphers: "AES128-SHA", Protocols: []string{"h2"}}.base()
	if err == nil || !strings.Contains(err.Error(), "HTTP/2") {
		t.Errorf("a list without a suite for HTTP/2: %v", err)
	}
}

// Files that systemd hands to the service come before those of the same name
// elsewhere; absolute paths are left alone.
func TestLocate(t *testing.T) {
	f := files{t, t.TempDir()}
	f.write("given/key.pem")
	o := Options{Certificates: []string{"cert.pem", "/abs.pem"}, Keys: []string{"key.pem"}, ClientCAs: "ca.pem"}
	got := o.Locate(f.path("given"), "/here")
	if got.Certificates[0] != "/here/cert.pem" || got.Certificates[1] != "/abs.pem" || got.Keys[0] != f.path("given/key.pem") || got.ClientCAs != "/here/ca.pem" {
		t.Errorf("got %+v", got)
	}
	if got := o.Locate("", "/here"); got.Keys[0] != "/here/key.pem" {
		t.Errorf("without credentials: %+v", got)
	}
}

func TestDemands(t *testing.T) {
	for text, want := range map[string]Demand{
		"0": 0, "1": 1, "2": 2, "CERT_REQUIRED": 2, "optional": 1, "VerifyMode.CERT_NONE": 0,
	} {
		if got, err := ParseDemand(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	if _, err := ParseDemand("3"); err == nil {
		t.Error("3 is taken")
	}
}
