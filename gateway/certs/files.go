package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxFile bounds each file: a certificate chain has a few KB, and a path to
// something else must not fill the memory.
const maxFile = 16 << 20

// pair is a certificate's file and its key's, often the same.
type pair struct{ certificate, key string }

// pairs lists what is to be read. Of a directory these are
//
//	NAME.pem, NAME.crt      with the key in NAME.key or in the file itself
//	NAME/fullchain.pem      with the key in NAME/privkey.pem (as certbot writes them)
//
// in the order of their names.
func (o Options) pairs() ([]pair, error) {
	var all []pair
	for i, path := range o.Certificates {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("certfile: %w", err)
		}
		switch {
		case info.IsDir() && len(o.Keys) > 0:
			return nil, fmt.Errorf("certfile: %s is a directory, where keys are found by their names; leave keyfile empty", path)
		case info.IsDir():
			found, err := inDirectory(path)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		case len(o.Keys) > 0:
			all = append(all, pair{path, o.Keys[i]})
		default:
			all = append(all, pair{path, path})
		}
	}
	return all, nil
}

func inDirectory(dir string) ([]pair, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("certfile: %w", err)
	}
	var found []pair
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		suffix := filepath.Ext(path)
		key := strings.TrimSuffix(path, suffix) + ".key"
		chain := filepath.Join(path, "fullchain.pem")
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case exists(chain):
			found = append(found, pair{chain, filepath.Join(path, "privkey.pem")})
		case suffix != ".pem" && suffix != ".crt":
		case exists(key):
			found = append(found, pair{path, key})
		default:
			found = append(found, pair{path, path})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("certfile: no certificate in the directory %s: no NAME.pem, NAME.crt or NAME/fullchain.pem", dir)
	}
	return found, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// read reads the pair. A key that belongs to another certificate, or that is
// encrypted, is an error that names both files.
func (p pair) read() (*tls.Certificate, error) {
	certificate, err := readFile(p.certificate)
	if err != nil {
		return nil, fmt.Errorf("certfile: %w", err)
	}
	key := certificate
	if p.key != p.certificate {
		if key, err = readFile(p.key); err != nil {
			return nil, fmt.Errorf("keyfile: %w", err)
		}
	}
	c, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, p.explain(certificate, key, err)
	}
	return &c, nil
}

// explain says which file is wrong and how; X509KeyPair knows no paths.
func (p pair) explain(certificate, key []byte, err error) error {
	has := func(text []byte, kind string) bool { return strings.Contains(string(text), kind) }
	switch {
	case !has(certificate, "-----BEGIN CERTIFICATE-----"):
		return fmt.Errorf("certfile: %s holds no certificate in PEM", p.certificate)
	case has(key, "BEGIN ENCRYPTED PRIVATE KEY") || has(key, "Proc-Type: 4,ENCRYPTED"):
		return fmt.Errorf("keyfile: the key in %s is encrypted; decrypt it (openssl pkey), and let systemd-creds(1) keep it secret", p.key)
	case !has(key, "PRIVATE KEY-----"):
		return fmt.Errorf("keyfile: %s holds no private key in PEM", p.key)
	case has([]byte(err.Error()), "private key does not match") || has([]byte(err.Error()), "private key type does not match"):
		return fmt.Errorf("keyfile: the key in %s is not that of the certificate in %s", p.key, p.certificate)
	}
	return fmt.Errorf("certfile: read %s with the key in %s: %w", p.certificate, p.key, err)
}

// readFile reads a file of bounded size.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only; nothing to lose
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = &os.PathError{Op: "read", Path: path, Err: errors.New("too large for certificates")}
	}
	return text, err
}

// authorities reads the file of ca_certs.
func authorities(path string) (*x509.CertPool, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("ca_certs: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_certs: %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// mark is what a file looks like from outside. It changes when the file is
// written or another takes its place, behind a symbolic link too.
type mark struct {
	path     string
	inode    uint64
	size     int64
	modified time.Time
	missing  bool
}

func markOf(path string) mark {
	info, err := os.Stat(path)
	if err != nil {
		return mark{path: path, missing: true}
	}
	m := mark{path: path, size: info.Size(), modified: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		m.inode = st.Ino
	}
	return m
}

// marks looks at all files without reading them.
func (o Options) marks() []mark {
	var all []mark
	add := func(path string) { all = append(all, markOf(path)) }
	for _, path := range slices.Concat(o.Certificates, o.Keys) {
		add(path)
	}
	pairs, _ := o.pairs() // what cannot be listed is seen by the marks of what was named
	for _, p := range pairs {
		add(p.certificate)
		add(p.key)
	}
	if o.ClientCAs != "" {
		add(o.ClientCAs)
	}
	return all
}
