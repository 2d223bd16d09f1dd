package settings

import (
	"reflect"
	"strings"
	"testing"
)

func TestProxyDefaults(t *testing.T) {
	v := resolve(t)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"secure_scheme_headers", v.SecureSchemeHeaders(), []Pair{
			{"X-FORWARDED-PROTOCOL", "ssl"}, {"X-FORWARDED-PROTO", "https"}, {"X-FORWARDED-SSL", "on"},
		}},
		{"forwarded", v.Forwarded(), "none"},
		{"proxy_protocol", v.ProxyProtocol(), "off"},
		{"proxy_allow_ips", v.ProxyAllowIPs(), "127.0.0.1,::1"},
		{"protocol", v.Protocol(), "http"},
		{"uwsgi_allow_ips", v.UwsgiAllowIPs(), "127.0.0.1,::1"},
		{"forwarder_headers", v.ForwarderHeaders(), []string{"SCRIPT_NAME", "PATH_INFO"}},
		{"header_map", v.HeaderMap(), "drop"},
		{"limit_request_head", v.LimitRequestHead(), 65536},
		{"forwarded_allow_ips", v.ForwardedAllowIPs(), "127.0.0.1,::1"},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %#v, want %#v", c.name, c.got, c.want)
		}
	}
}

func TestProxyTexts(t *testing.T) {
	for _, c := range []struct {
		name  string
		texts []string
		got   func(*Values) any
		want  any
	}{
		{"secure_scheme_headers", []string{""}, func(v *Values) any { return v.SecureSchemeHeaders() }, []Pair{}},
		{"secure_scheme_headers", []string{" A=b , C = d=e,,"}, func(v *Values) any { return v.SecureSchemeHeaders() }, []Pair{{"A", "b"}, {"C", "d=e"}}},
		{"proxy_protocol", []string{"true"}, func(v *Values) any { return v.ProxyProtocol() }, "auto"},
		{"proxy_protocol", []string{"False"}, func(v *Values) any { return v.ProxyProtocol() }, "off"},
		{"proxy_protocol", []string{"V2"}, func(v *Values) any { return v.ProxyProtocol() }, "v2"},
	} {
		v, err := Resolve(line(c.name, c.texts...))
		if err != nil {
			t.Errorf("%s %q: %v", c.name, c.texts, err)
			continue
		}
		if got := c.got(v); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q: got %#v, want %#v", c.name, c.texts, got, c.want)
		}
	}
	for _, c := range []struct {
		name, text string
		wantAll    []string
	}{
		{"header_map", "keep", []string{"drop, refuse, dangerous"}},
		{"secure_scheme_headers", "=https", []string{"not NAME=VALUE"}},
		{"secure_scheme_headers", "X Proto=https", []string{"no name of a header field"}},
		{"secure_scheme_headers", "X-Proto", []string{"not NAME=VALUE"}},
		{"proxy_protocol", "v3", []string{"off, v1, v2, auto"}},
		{"protocol", "fastcgi", []string{"http, uwsgi"}},
	} {
		_, err := Resolve(line(c.name, c.text))
		for _, want := range c.wantAll {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %q: error %v does not say %q", c.name, c.text, err, want)
			}
		}
	}
}

func TestProxySettingsInTOML(t *testing.T) {
	layer, err := FromTOML("a.toml", []byte("proxy_protocol = true\nsecure_scheme_headers = [\"A=b\", \"C=d\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	v := resolve(t, layer)
	if got := v.SecureSchemeHeaders(); v.ProxyProtocol() != "auto" || !reflect.DeepEqual(got, []Pair{{"A", "b"}, {"C", "d"}}) {
		t.Errorf("got %q and %v", v.ProxyProtocol(), got)
	}
}
