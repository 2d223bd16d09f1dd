package settings

import (
	"reflect"
	"testing"
)

func TestDefaultsOfTLS(t *testing.T) {
	v := resolve(t)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"certfile", v.CertFile(), []string{}},
		{"keyfile", v.KeyFile(), []string{}},
		{"ca_certs", v.CACerts(), ""},
		{"cert_reqs", v.CertReqs(), "0"},
		{"ciphers", v.Ciphers(), ""},
		{"tls_min_version", v.TLSMinVersion(), "1.2"},
		{"tls_handshakes", v.TLSHandshakes(), 1024},
		{"plain_listeners", v.PlainListeners(), []string{}},
		{"http_protocols", v.HTTPProtocols(), []string{"h2", "h1"}},
		{"http2_cleartext", v.HTTP2Cleartext(), false},
		{"http2_max_concurrent_streams", v.HTTP2MaxConcurrentStreams(), 100},
		{"http2_initial_window_size", v.HTTP2InitialWindowSize(), 1 << 20},
		{"http2_max_frame_size", v.HTTP2MaxFrameSize(), 16384},
		{"http2_max_header_list_size", v.HTTP2MaxHeaderListSize(), 65536},
		{"ssl_version", v.SSLVersion(), ""},
		{"do_handshake_on_connect", v.DoHandshakeOnConnect(), false},
		{"suppress_ragged_eofs", v.SuppressRaggedEOFs(), true},
	} {
		if !reflect.DeepEqual(c.got, c.want) || v.Source(c.name) != Default {
			t.Errorf("%s: got %#v from %v, want %#v", c.name, c.got, v.Source(c.name), c.want)
		}
	}
}

func TestDemandsOfClients(t *testing.T) {
	for _, text := range []string{"0", "1", "2", "CERT_REQUIRED", "Optional", "none"} {
		if v, err := Resolve(line("cert_reqs", text)); err != nil || v.CertReqs() != text {
			t.Errorf("%q: got %v", text, err)
		}
	}
	for _, text := range []string{"", "3", "yes"} {
		if _, err := Resolve(line("cert_reqs", text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
