package prometheus

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// startPrometheus starts a real server that scrapes target and loads the alert rules, and
// returns its address.
func startPrometheus(t *testing.T, target string) (address string) {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus here")
	}
	dir := t.TempDir()
	alerts, err := filepath.Abs(alertsPath)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs: [{job_name: stores, static_configs: [{targets: [%q]}]}]
`, alerts, strings.TrimPrefix(target, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // for a port that is free
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log := &strings.Builder{}
	cmd := exec.CommandContext(t.Context(), binary, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log)
		}
	})
	return "http://" + address
}

// reply is what the server's API answers.
type reply struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any // time, value
		}
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
}

// ask asks the server's API.
func ask(server, path string, args ...string) (r reply, err error) {
	q := url.Values{}
	for i := 0; i < len(args); i += 2 {
		q.Set(args[i], args[i+1])
	}
	client := http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Get(server + "/api/v1/" + path + "?" + q.Encode())
	if err != nil {
		return r, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&r)
	return r, err
}

// eventually asks until the answer is good.
func eventually(t *testing.T, what string, good func() (bool, string)) {
	t.Helper()
	last := ""
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var ok bool
		if ok, last = good(); ok {
			return
		}
	}
	t.Fatalf("%s: %s", what, last)
}

func TestARealPrometheusScrapesStoresAndTakesEveryQuery(t *testing.T) {
	r := prometheus.NewRegistry()
	for _, name := range []string{"orders", "sessions"} {
		db, err := siltstone.Open(name, &siltstone.Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for i := range 123 {
			if err := db.Put(fmt.Append(nil, i), []byte("v")); err != nil {
				t.Fatal(err)
			}
		}
		r.MustRegister(NewCollector(name, db))
	}
	target := httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	defer target.Close()
	server := startPrometheus(t, target.URL)

	eventually(t, "the figure of a store", func() (bool, string) {
		got, err := ask(server, "query", "query", `siltstone_commits_total{store="orders"}`)
		return err == nil && len(got.Data.Result) == 1 && got.Data.Result[0].Value[1] == "123", fmt.Sprint(got, err)
	})
	if got, err := ask(server, "query", "query", `count(siltstone_uptime_seconds)`); err != nil || len(got.Data.Result) != 1 || got.Data.Result[0].Value[1] != "2" {
		t.Errorf("stores: %+v, %v", got, err)
	}
	eventually(t, "the alert rules", func() (bool, string) {
		got, err := ask(server, "rules")
		ok := err == nil && len(got.Data.Groups) == 1 && len(got.Data.Groups[0].Rules) == 8
		for _, g := range got.Data.Groups {
			for _, rule := range g.Rules {
				ok = ok && rule.Health == "ok"
			}
		}
		return ok, fmt.Sprint(got, err)
	})
	variables := strings.NewReplacer("$__rate_interval", "1m", "$store", ".*", "$instance", ".*")
	for _, p := range readBoard(t).Panels {
		for _, q := range p.Targets {
			got, err := ask(server, "query", "query", variables.Replace(q.Expr))
			if err != nil || got.Status != "success" {
				t.Errorf("%s: %s: %v, %+v", p.Title, q.Expr, err, got)
			}
			// Rates need two scrapes; all else is there at once.
			if !strings.Contains(q.Expr, "rate(") && len(got.Data.Result) == 0 && !strings.Contains(q.Expr, "disk_free") {
				t.Errorf("%s: %s: no values", p.Title, q.Expr)
			}
		}
	}
}
