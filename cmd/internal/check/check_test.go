package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

func TestAResultIsALineWhateverIsInItsTexts(t *testing.T) {
	var out bytes.Buffer
	Print(&out, []Result{
		ok("a", "%s", "x\x1b[31m\ny"), fail("longer", "do this", "%s", "\u0085"),
	})
	require.Equal(t, "ok    a       x\\x1b[31m\\ny\nfail  longer  \\u0085; do this\n", out.String())

	out.Reset()
	require.NoError(t, PrintJSON(&out, []Result{warn("a", "<mend>", "x\x1b")}))
	require.JSONEq(t, `{"ok": true, "results":
		[{"name": "a", "status": "warn", "text": "x\u001b", "mend": "<mend>"}]}`, out.String())
	require.Contains(t, out.String(), `\u001b`)
	require.Contains(t, out.String(), "<mend>")
}

func TestEachWrongEndOfAProbeIsSaid(t *testing.T) {
	p := Probe{Allowed: 5000, Refused: 5001}
	for _, c := range []struct {
		ends Ends
		said string
	}{
		{Ends{Refused: unix.EPERM}, ""},
		{Ends{Refused: unix.EPERM, Allowed: unix.ENOSYS},
			"port 5000 is allowed, and a bind to it failed: function not implemented"},
		{Ends{Refused: unix.EPERM, Listen: unix.EPERM},
			"port 5000 is allowed, and listen(2) failed: operation not permitted"},
		{Ends{}, "port 5001 is not allowed, and was bound all the same"},
		{Ends{Refused: unix.ENOSYS}, "port 5001 is not allowed, and a bind to it failed with the" +
			" wrong error: function not implemented"},
	} {
		require.Equal(t, c.said, c.ends.judge(p))
	}
}

// An OCI runtime that is too old, or built in another way, can't be installed here: scripts say
// what such runtimes say of themselves.
func TestAnOCIRuntimeIsJudgedByItsFeatures(t *testing.T) {
	const libseccomp = `"annotations": {"` + libseccompKey + `": "%s"}`
	seccomp := func(version, fields string) string {
		return fmt.Sprintf(`{"linux": {"seccomp": {%s}}, `+libseccomp+`}`, fields, version)
	}
	const notify, flags = `"enabled": true, "actions": ["SCMP_ACT_NOTIFY"]`,
		`, "supportedFlags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]`
	for _, c := range []struct {
		features, version string
		status            Status
		said              string
	}{
		{seccomp("2.6.0", notify+flags), "runc 1.5", OK, "(runc 1.5) loads the filter"},
		{seccomp("2.5.4", notify), "runc 1.4", Warn, "EINTR"},
		{seccomp("2.4.1", notify+flags), "runc 1.5", Fail, "has libseccomp 2.4.1"},
		{seccomp("2.6.0", `"enabled": true, "actions": ["SCMP_ACT_ERRNO"]`), "x", Fail,
			"knows no filters with a supervisor"},
		{seccomp("2.6.0", `"enabled": false`), "x", Fail, "loads no seccomp filters"},
		{`{}`, "x", Fail, "loads no seccomp filters"},
		{`nonsense`, "x", Fail, "parse the output"},
		{"", "crun 1.8\n+SYSTEMD +SECCOMP", Warn, "(crun 1.8) loads the filter"},
		{"", "crun 1.8\n+SYSTEMD -SECCOMP", Fail, "loads no seccomp filters"},
	} {
		path := filepath.Join(t.TempDir(), "runtime")
		script := "#!/bin/sh\n[ \"$1\" = --version ] && exec echo '" + c.version + "'\n" +
			"[ -n '" + c.features + "' ] && exec echo '" + c.features + "'\nexit 1\n"
		require.NoError(t, os.WriteFile(path, []byte(script), 0o755))
		r := ociRuntime(path)
		require.Equal(t, c.status, r.Status, r.Text)
		require.Contains(t, r.Text, c.said)
	}
}

func TestAConfiguredOCIRuntimeMustBeThere(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	results := ociRuntimes([]string{"/no/such/runtime", "youki"})
	require.Equal(t, Fail, results[0].Status)
	require.Equal(t, Fail, results[1].Status)
	require.Contains(t, results[1].Text, "it is configured: no OCI runtime youki")
}

func TestPortsAreChosenThatShowTheDifference(t *testing.T) {
	policy := func(metadata string) func(uint16) (config.Policy, error) {
		return func(port uint16) (config.Policy, error) {
			c := config.Container{Annotations: map[string]string{
				config.AnnotationPort: element(port),
			}}
			return config.FromState(c, metadata, config.Rules{})
		}
	}
	for _, metadata := range []string{
		"", "port-restricter.port=40000-40100", "port-restricter.port=40000-40100/tcp,53/udp",
		"port-restricter.audit=allow",
		"port-restricter.map=40001:40000\nport-restricter.port=1-65535",
	} {
		ports, err := choose(policy(metadata))
		require.NoError(t, err, metadata)
		p, err := policy(metadata)(ports.allowed)
		require.NoError(t, err)
		require.Equal(t, config.Allow, p.Decide(request(ports.allowed)).Verdict)
		require.Equal(t, config.Deny, p.Decide(request(ports.refused)).Verdict)
		if strings.Contains(metadata, "40100") {
			require.True(t, ports.allowed >= 40000 && ports.allowed <= 40100)
		}
	}
	for metadata, said := range map[string]string{
		"port-restricter.port=none":       "no free port is allowed to anybody",
		"port-restricter.port=[::1]:5000": "no free port is allowed to anybody",
	} {
		_, err := choose(policy(metadata))
		require.ErrorContains(t, err, said, metadata)
	}
	audit := func(uint16) (config.Policy, error) {
		return config.ParsePolicy(config.Texts{Ports: "1-65535", Mode: "audit"})
	}
	_, err := choose(audit)
	require.ErrorIs(t, err, errNothingRefused)
}

// A container may have an annotation that looks like what its runtime writes down.
func TestTheBundleOfAContainerIsWhereItsRuntimeSays(t *testing.T) {
	const state = `{"init_process_pid": 7, "init_process_start": 8,
		"config": {"labels": ["bundle=/forged", "a=b", "bundle=/real"]}}`
	bundle, pid, start, err := runcState([]byte(state))
	require.NoError(t, err)
	require.Equal(t, "/real", bundle)
	require.Equal(t, 7, pid)
	require.EqualValues(t, 8, start)
}

func TestAVersionIsComparedByItsNumbers(t *testing.T) {
	for version, older := range map[string]bool{
		"2.4.9": true, "1.9": true, "2.5.0": false, "2.10.1": false, "3.0": false, "": false,
		"unknown": false,
	} {
		require.Equal(t, older, olderThan(version, 2, 5), version)
	}
}

// Kernels without these are in test/kernels only.
func TestWhatAKernelLacksIsSaidWithItsCost(t *testing.T) {
	for _, c := range []struct {
		found  Result
		status Status
		said   string
	}{
		{threads(""), OK, "PIDFD_THREAD"},
		{threads("only the first thread can bind"), Warn, "only the first thread can bind"},
		{wakeUp(6, 6), OK, "no second CPU"}, {wakeUp(7, 0), OK, "no second CPU"},
		{wakeUp(6, 5), Warn, "a second CPU"}, {wakeUp(5, 10), Warn, "a second CPU"},
		{signals(unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), OK, "ends no bind"},
		{signals(0), Warn, "EINTR"},
		{secondLock(4, nil), OK, "ABI 4"},
		{secondLock(3, nil), Warn, "ABI 3"},
		{secondLock(0, unix.EOPNOTSUPP), Warn, "no Landlock: operation not supported"},
	} {
		require.Equal(t, c.status, c.found.Status, c.found.Text)
		require.Contains(t, c.found.Text, c.said)
		require.Equal(t, c.status == Warn, c.found.Mend != "")
	}
}

func TestWhatTheCommandLineCannotDoIsSaid(t *testing.T) {
	for _, c := range []struct {
		found  Result
		status Status
		said   string
	}{
		{lowPorts(80, nil, Ends{}), OK, "80"},
		{lowPorts(80, nil, Ends{Low: unix.EACCES}), Fail, "port 80 can be bound without"},
		{lowPorts(0, unix.EACCES, Ends{Low: notTried}), Skip, "CAP_NET_BIND_SERVICE"},
		{lowPorts(0, unix.EADDRNOTAVAIL, Ends{Low: notTried}), Skip, "cannot assign"},
		{paths(Ends{}), OK, "several threads"},
		{paths(Ends{Path: unix.EPERM}), Fail, "can't make an AF_UNIX socket: operation not"},
		{otherUsers(Ends{}), OK, "has changed its user"},
		{otherUsers(Ends{OtherUser: unix.EPERM}), Warn, "CAP_SYS_PTRACE"},
		{otherUsers(Ends{OtherUser: notTried}), Skip, "no other"},
	} {
		require.Equal(t, c.status, c.found.Status, c.found.Text)
		require.Contains(t, c.found.Text, c.said)
	}
}
