package daemon_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/rpc/pki"
	"metermanager/service/config"
	"metermanager/service/daemon"
)

// startNode runs a node until the test ends and returns its address.
func startNode(t *testing.T, conf config.Config, key string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	log := &safe{}
	go func() {
		done <- daemon.Run(ctx, conf, daemon.Options{
			Log: log, Getenv: func(string) string { return "" },
			Bootstrap: daemon.Bootstrap{User: "owner", Password: "a long password", Customer: "c", APIKey: key, Permissions: permission.Everything()},
			Seams:     daemon.Seams{PasswordCost: 4, Listen: func(context.Context, string) (net.Listener, error) { return listener, nil }},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%v\n%s", err, log)
		}
	})
	return listener.Addr().String()
}

// TestNodesTrustByFingerprint: a cloud that others can reach speaks TLS by itself; nobody who does not know its authority sends it a
// key; a site that is told to trust it at first uploads, and after another start the cloud is the same one.
func TestNodesTrustByFingerprint(t *testing.T) {
	t.Parallel()
	cloudConf := config.Config{Data: t.TempDir(), Listen: "0.0.0.0:0", Roles: []string{config.RoleCloud}}
	if !cloudConf.OwnTLS() {
		t.Fatal("an address that others can reach is served without TLS")
	}
	cloud := startNode(t, cloudConf, diskKey)
	ctx := t.Context()

	plain, err := http.Get("http://" + cloud + "/livez")
	if err == nil {
		if plain.StatusCode != http.StatusBadRequest { // "client sent an HTTP request to an HTTPS server"
			t.Errorf("plain HTTP is answered with %d", plain.StatusCode)
		}
		_ = plain.Body.Close()
	}
	stranger, err := client.New("https://"+cloud, client.Config{APIKey: diskKey, Retries: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.User(ctx)
	found := pki.Unverified(err)
	if err == nil || found == "" || !strings.Contains(hint(err), found) {
		t.Fatalf("an unknown authority: %v, hint %q", err, hint(err))
	}
	ofFile, err := pki.FingerprintOfFile(config.CAFile(cloudConf.Data))
	if err != nil || ofFile != found {
		t.Errorf("the file has the fingerprint %s (%v), the network says %s", ofFile, err, found)
	}
	pool, err := pki.Pool(config.CAFile(cloudConf.Data))
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]client.Config{"file": {APIKey: diskKey, RootCAs: pool}, "fingerprint": {APIKey: diskKey, Fingerprint: found}} {
		c, err := client.New("https://"+cloud, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.User(ctx); err != nil {
			t.Errorf("trusted by %s: %v", name, err)
		}
		text, err := c.Authority(ctx)
		onDisk, _ := os.ReadFile(config.CAFile(cloudConf.Data))
		if err != nil || string(text) != string(onDisk) {
			t.Errorf("trusted by %s: the authority is told as %q, %v", name, text, err)
		}
	}

	site := startNode(t, config.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Roles: []string{config.RoleSite}}, diskKey)
	c, err := client.New("http://"+site, client.Config{APIKey: diskKey})
	if err != nil {
		t.Fatal(err)
	}
	set := func(name, value string) error {
		return c.Call(ctx, api.CmdCloudSet, map[string]any{"name": name, "value": value}, nil)
	}
	info := func() string {
		var out struct {
			Settings map[string]any `json:"settings"`
		}
		if err := c.Call(ctx, api.CmdCloudInfo, nil, &out); err != nil {
			t.Fatal(err)
		}
		text, _ := out.Settings["cloud.fingerprint"].(string)
		return text
	}
	for _, s := range [][2]string{{"etheria.client~host", "https://" + cloud}, {"cloud.apikey", diskKey}} {
		if err := set(s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	enable := func() error {
		return c.Call(ctx, api.CmdCloudEnable, map[string]any{"user": "owner", "pass": "a long password"}, nil)
	}
	if err := enable(); err == nil || !strings.Contains(hint(err), found) {
		t.Errorf("a cloud with an unknown authority is switched on: %v", err)
	}
	if err := set("cloud.fingerprint", "12:34"); err == nil {
		t.Error("no fingerprint is taken for one")
	}
	if err := set("cloud.fingerprint", strings.Repeat("0", 64)); err != nil {
		t.Error(err)
	}
	if err := enable(); err == nil {
		t.Error("a cloud with another fingerprint is switched on")
	}
	if err := set("cloud.fingerprint", "first"); err != nil {
		t.Fatal(err)
	}
	if got := info(); got != found {
		t.Errorf("trusted at first: %q, want %s", got, found)
	}
	if err := enable(); err != nil {
		t.Errorf("with the right fingerprint: %v", err)
	}

	// The site replaces its key at the cloud: the old one ends at once, and the new one is in use.
	if err := c.Call(ctx, api.CmdCloudKeyRotate, map[string]any{"overlap_s": 0}, nil); err != nil {
		t.Fatal(err)
	}
	old, err := client.New("https://"+cloud, client.Config{APIKey: diskKey, Fingerprint: found, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.User(ctx); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("the old key: %v", err)
	}
	if err := c.Call(ctx, api.CmdCloudKeyRotate, nil, nil); err != nil {
		t.Errorf("the new key is not used: %v", err)
	}
}

// TestAuthorityOutlivesARestart: clients that pinned it still know the node.
func TestAuthorityOutlivesARestart(t *testing.T) {
	t.Parallel()
	conf := config.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", TLS: config.TLSOn, Roles: []string{config.RoleCloud}}
	fingerprint := ""
	for range 2 {
		t.Run("start", func(t *testing.T) {
			address := startNode(t, conf, diskKey)
			c, err := client.New("https://"+address, client.Config{APIKey: diskKey, Fingerprint: strings.Repeat("0", 64)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err = c.User(ctx)
			found := pki.Unverified(err)
			if found == "" || fingerprint != "" && found != fingerprint {
				t.Errorf("fingerprint %q after %q (%v)", found, fingerprint, err)
			}
			fingerprint = found
		})
	}
}

func hint(err error) string {
	if f := fault.From(err); f != nil {
		return f.Hint
	}
	return ""
}
