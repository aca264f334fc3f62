package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"metermanager/service/config"
)

func TestLoadOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "mm.json")
	write(t, file, `{"data": "`+filepath.ToSlash(filepath.Join(dir, "from-file"))+`", "listen": "127.0.0.1:1", "log_level": "warn"}`)
	tests := []struct {
		name         string
		options      config.Options
		data, listen string
		level        string
	}{
		{"defaults", config.Options{Environ: []string{"STATE_DIRECTORY=" + dir}}, dir, config.DefaultListen, "info"},
		{"file", config.Options{File: file, Environ: []string{}}, filepath.Join(dir, "from-file"), "127.0.0.1:1", "warn"},
		{"environment over file", config.Options{Environ: []string{"MM_CONFIG=" + file, "MM_LISTEN=127.0.0.1:2", "MM_DATA=" + dir}}, dir, "127.0.0.1:2", "warn"},
		{"options over environment", config.Options{File: file, Listen: "127.0.0.1:3", Environ: []string{"MM_LISTEN=127.0.0.1:2"}}, filepath.Join(dir, "from-file"), "127.0.0.1:3", "warn"},
		{"empty variables say nothing", config.Options{File: file, Environ: []string{"MM_LISTEN=", "MM_LOG_LEVEL="}}, filepath.Join(dir, "from-file"), "127.0.0.1:1", "warn"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if c.Data != tt.data || c.Listen != tt.listen || c.LogLevel != tt.level {
				t.Errorf("got %+v, want data %s, listen %s, level %s", c, tt.data, tt.listen, tt.level)
			}
		})
	}
}

func TestLoadFindsTheFileInTheDataFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, config.FileName), `{"roles": ["cloud"]}`)
	c, err := config.Load(config.Options{Data: dir, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Roles, []string{"cloud"}) || c.HasRole(config.RoleSite) || !c.HasRole(config.RoleCloud) {
		t.Errorf("roles %v", c.Roles)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, env, says string }{
		{"unknown key", `{"lisen": "127.0.0.1:1"}`, "", `"lisen"`},
		{"a key twice", `{"listen": "127.0.0.1:1", "listen": "127.0.0.1:2"}`, "", "twice"},
		{"a key twice in another case", `{"listen": "127.0.0.1:1", "Listen": "127.0.0.1:2"}`, "", "twice"},
		{"text after the object", `{} {}`, "", "follows"},
		{"not an object", `[]`, "", "one JSON object"},
		{"empty", ``, "", "one JSON object"},
		{"wrong type", `{"listen": 80}`, "", "listen"},
		{"unknown variable", `{}`, "MM_LISTN=x", "MM_LISTN"},
		{"no port", `{"listen": "127.0.0.1"}`, "", "host:port"},
		{"TLS off", `{"tls": "off"}`, "", "auto or on"},
		{"a rate below none", `{"api_rate": -2}`, "", "api_rate"},
		{"a rate of no number", `{}`, "MM_API_KEY_RATE=many", "MM_API_KEY_RATE"},
		{"certificate without key", `{"tls_cert": "a.pem"}`, "", "belong together"},
		{"role", `{"roles": ["sight"]}`, "", "sight"},
		{"no role", `{"roles": []}`, "", "roles"},
		{"level", `{}`, "MM_LOG_LEVEL=loud", "loud"},
		{"switch", `{}`, "MM_INSECURE_HTTP=perhaps", "perhaps"},
		{"registration", `{"registration": "everybody"}`, "", "everybody"},
		{"public address with a path behind", `{"public_url": "https://m.example.net/"}`, "", "public_url"},
		{"public address without a scheme", `{}`, "MM_PUBLIC_URL=m.example.net", "public_url"},
		{"mail server without a port", `{"smtp_server": "mail.example.net", "smtp_from": "a@example.net"}`, "", "smtp_server"},
		{"mails in the clear", `{"smtp_server": "mail.example.net:25", "smtp_from": "a@example.net", "smtp_security": "none"}`, "", "this machine"},
		{"mails from nobody", `{"smtp_server": "mail.example.net:25"}`, "", "smtp_from"},
		{"mail user without a password", `{"smtp_server": "mail.example.net:25", "smtp_from": "a@example.net", "smtp_user": "a"}`, "", "belong together"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "mm.json")
			write(t, file, tt.file)
			env := []string{}
			if tt.env != "" {
				env = append(env, tt.env)
			}
			_, err := config.Load(config.Options{File: file, Data: dir, Environ: env})
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an invalid configuration that names %s", err, tt.says)
			}
		})
	}
	t.Run("a named file that is not there", func(t *testing.T) {
		t.Parallel()
		if _, err := config.Load(config.Options{File: filepath.Join(t.TempDir(), "no.json"), Environ: []string{}}); err == nil {
			t.Error("no error")
		}
	})
}

func TestOpenListenIsAllowedWhenSaid(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{
		{"MM_LISTEN=0.0.0.0:8080", "MM_INSECURE_HTTP=true"},
		{"MM_LISTEN=[::]:8443", "MM_TLS_CERT=c.pem", "MM_TLS_KEY=k.pem"},
		{"MM_LISTEN=localhost:8080"},
		{"MM_LISTEN=[::1]:8080"},
	} {
		c, err := config.Load(config.Options{Data: t.TempDir(), Environ: env})
		if err != nil {
			t.Errorf("%v: %v", env, err)
		}
		if !filepath.IsAbs(c.Data) || c.TLSCert != "" && !filepath.IsAbs(c.TLSCert) {
			t.Errorf("%v: paths are not absolute: %+v", env, c)
		}
	}
}

// TestCredentialsNeverCrossANetworkInTheClear: who can be reached from elsewhere speaks TLS, unless it is said that he must not.
func TestCredentialsNeverCrossANetworkInTheClear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env []string
		own bool
	}{
		{[]string{"MM_LISTEN=0.0.0.0:8080"}, true},
		{[]string{"MM_LISTEN=:8080"}, true},
		{[]string{"MM_LISTEN=192.0.2.1:8080"}, true},
		{[]string{"MM_LISTEN=meters.example.net:8080"}, true},
		{[]string{"MM_LISTEN=[::]:8080"}, true},
		{[]string{"MM_LISTEN=127.0.0.1:8080"}, false},
		{[]string{"MM_LISTEN=127.0.0.1:8080", "MM_TLS=on"}, true},
		{[]string{"MM_LISTEN=localhost:8080"}, false},
		{[]string{"MM_LISTEN=[::1]:8080"}, false},
		{[]string{"MM_LISTEN=0.0.0.0:8080", "MM_INSECURE_HTTP=true"}, false},
		{[]string{"MM_LISTEN=0.0.0.0:8080", "MM_TLS_CERT=c.pem", "MM_TLS_KEY=k.pem"}, false}, // TLS, with a certificate of one's own
	} {
		got, err := config.Load(config.Options{Data: t.TempDir(), Environ: c.env})
		if err != nil || got.OwnTLS() != c.own {
			t.Errorf("%v: own TLS %v, %v", c.env, got.OwnTLS(), err)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ listen, cert, want string }{
		{"127.0.0.1:8080", "", "http://127.0.0.1:8080"},
		{"0.0.0.0:443", "c.pem", "https://127.0.0.1:443"},
		{":80", "", "https://127.0.0.1:80"},
		{"[::1]:80", "", "http://[::1]:80"},
	}
	for _, tt := range tests {
		c := config.Config{Listen: tt.listen, TLSCert: tt.cert}
		if got := c.URL(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.listen, got, tt.want)
		}
	}
}

func TestPrintIsReadAgain(t *testing.T) {
	t.Parallel()
	want := config.Config{Data: "/d", Listen: "127.0.0.1:1", Roles: []string{"site"}, LogLevel: "debug", InsecureHTTP: true}
	var text bytes.Buffer
	if err := want.Print(&text); err != nil {
		t.Fatal(err)
	}
	var got config.Config
	if err := got.Parse(text.Bytes()); err != nil {
		t.Fatal(err)
	}
	if got.Data != want.Data || got.Listen != want.Listen || !slices.Equal(got.Roles, want.Roles) || !got.InsecureHTTP {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"data": "/d", "roles": ["site"]}`))
	f.Add([]byte(`{"listen": "127.0.0.1:1", "listen": 2}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c config.Config
		if err := c.Parse(text); err != nil && !errors.Is(err, config.ErrInvalid) {
			t.Errorf("error %v is not marked invalid", err)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
