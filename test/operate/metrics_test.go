package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// agentWithMetrics starts an agent with a socket for metrics, and returns its address.
func agentWithMetrics(t *testing.T) (*runc.Agent, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	defer file.Close()
	return runc.StartAgentOn(t, "metrics", file), l.Addr().String()
}

// get returns what is at a path, by a client of a unix socket or of TCP.
func get(t *testing.T, network, address, path string) (status int, text string) {
	t.Helper()
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	response, err := client.Get("http://agent" + path)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// The metrics are as Prometheus wants them, and say what happened. The socket for metrics has
// nothing else.
func TestMetricsCountWhatContainersDo(t *testing.T) {
	agent, address := agentWithMetrics(t)
	c := idle(t, agent, "5000")
	requireRefused(t, c, 5001)
	_, text := get(t, "unix", agent.ControlSocket(), "/metrics")
	for _, line := range []string{
		`port_restricter_decisions_total{decision="deny",namespace="",operation="bind",` +
			`protocol="tcp"} 1`,
		`port_restricter_sessions 1`, `port_restricter_containers 1`,
		`port_restricter_unprotected_sessions 1`, `port_restricter_log_skipped_total 0`,
		`port_restricter_attach_failures_total{reason="policy"} 0`,
		`port_restricter_helpers_total{result="made"} 0`,
		`port_restricter_decision_duration_seconds_count 1`,
	} {
		require.True(t, strings.Contains(text, "\n"+line+"\n"), "%s is not among the metrics", line)
	}
	require.Regexp(t, `port_restricter_build_info{version="[^"]+"} 1\n`, text)
	require.Regexp(t, `process_resident_memory_bytes [1-9]`, text)
	require.Regexp(t, `process_start_time_seconds 1\.`, text)
	require.Regexp(t, `process_open_fds [1-9]`, text)
	require.Regexp(t, `go_goroutines [1-9]`, text)
	require.NotContains(t, text, c.State(t).ID)

	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(text)
	result := runc.Finish(t, check)
	require.Zero(t, result.Code, result.Stderr)
	require.Empty(t, result.Stdout+result.Stderr)

	status, overTCP := get(t, "tcp", address, "/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, overTCP, "port_restricter_sessions 1\n")
	for _, path := range []string{"/v1/agent", "/v1/containers", "/v1/events", "/"} {
		status, _ = get(t, "tcp", address, path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
}

// Prometheus scrapes the agent.
func TestPrometheusScrapesTheAgent(t *testing.T) {
	agent, address := agentWithMetrics(t)
	c := idle(t, agent, "5000")
	requireRefused(t, c, 5001)
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 1s}
rule_files: [%s]
scrape_configs:
- job_name: port-restricter
  static_configs: [{targets: [%q]}]
`, monitoring(t, "alerts.yml"), address), 0o644))
	web := freeAddress(t)
	prometheus := exec.Command("prometheus", "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+web)
	var log strings.Builder
	prometheus.Stderr = &log
	require.NoError(t, prometheus.Start())
	t.Cleanup(func() {
		_ = prometheus.Process.Kill()
		_ = prometheus.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	require.Equal(t, "1", query(t, web, `up{job="port-restricter"}`))
	require.Equal(t, "1", query(t, web, `port_restricter_decisions_total{decision="deny"}`))
	require.Equal(t, "1", query(t, web, `count(port_restricter_build_info)`))
}

// freeAddress returns an address of TCP at which nobody listens.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// query waits until Prometheus has a value for an expression, and returns it.
func query(t *testing.T, web, expression string) (value string) {
	t.Helper()
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + web + "/api/v1/query?query=" +
			url.QueryEscape(expression))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if json.NewDecoder(response.Body).Decode(&answer) != nil || len(answer.Data.Result) == 0 {
			return false
		}
		value, _ = answer.Data.Result[0].Value[1].(string)
		return true
	}, time.Minute, 200*time.Millisecond, "Prometheus has no value for %s", expression)
	return value
}

// monitoring returns the path of a file of deploy/monitoring.
func monitoring(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../deploy/monitoring", name))
	require.NoError(t, err)
	return path
}

// The alerts are valid, and fire when they should and not otherwise.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	for _, arguments := range [][]string{
		{"check", "rules", monitoring(t, "alerts.yml")},
		{"test", "rules", monitoring(t, "alerts_test.yml")},
	} {
		result := runc.Finish(t, exec.Command("promtool", arguments...))
		require.Zero(t, result.Code, "%s%s", result.Stdout, result.Stderr)
	}
}

// The dashboard asks only for metrics that the agent has.
func TestTheDashboardAsksForMetricsThatExist(t *testing.T) {
	agent, _ := agentWithMetrics(t)
	requireRefused(t, idle(t, agent, "5000"), 5001) // a counter of decisions begins with one
	_, text := get(t, "unix", agent.ControlSocket(), "/metrics")
	dashboard, err := os.ReadFile(monitoring(t, "dashboard.json"))
	require.NoError(t, err)
	var decoded struct {
		Title  string
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(dashboard, &decoded))
	require.NotEmpty(t, decoded.Panels)
	alerts, err := os.ReadFile(monitoring(t, "alerts.yml"))
	require.NoError(t, err)
	asked := metricNames(string(alerts))
	for _, panel := range decoded.Panels {
		for _, target := range panel.Targets {
			names := metricNames(target.Expr)
			require.NotEmpty(t, names, "%s: %s", panel.Title, target.Expr)
			asked = append(asked, names...)
		}
	}
	for _, name := range asked {
		name = strings.TrimSuffix(name, "_bucket")
		require.True(t, strings.Contains(text, "# TYPE "+name+" "), "there is no metric %s", name)
	}
}
