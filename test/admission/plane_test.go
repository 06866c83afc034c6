// Package admission tests deploy/kubernetes/declared and deploy/kubernetes/events with a real
// kube-apiserver: which annotations a pod gets, which pods are refused and why, and what a refused
// bind of a real container becomes.
package admission

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// patience bounds every wait, on a busy machine.
const patience = 3 * time.Minute

// tools has the programs of Kubernetes.
var tools string

// kubeconfig is a file with which one is the administrator.
var kubeconfig string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	built, err := filepath.Abs("../../.cache/tools")
	if err != nil {
		panic(err)
	}
	tools = built + "/"
	rest.SetDefaultWarningHandler(rest.NoWarnings{}) // about ports that are declared twice
	dir, err := os.MkdirTemp("", "plane-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	kubeconfig = filepath.Join(dir, "kubeconfig")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	defer func() { stop(); <-ended; <-ended }()
	start := func(name string, args ...string) {
		log, err := os.Create(filepath.Join(dir, name+".log"))
		if err != nil {
			panic(err)
		}
		command := exec.CommandContext(ctx, tools+name, args...)
		command.Stdout, command.Stderr, command.Dir = log, log, dir
		command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		go func() {
			if err := command.Run(); ctx.Err() == nil {
				text, _ := os.ReadFile(log.Name())
				fmt.Fprintf(os.Stderr, "%s ended: %v: %s\n", name, err, text)
			}
			ended <- struct{}{}
		}()
	}
	clients, peers, port := freePort(), freePort(), freePort()
	start("etcd", "--data-dir="+dir+"/etcd", "--unsafe-no-fsync",
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers,
		"--initial-cluster=default="+peers)
	write(dir+"/tokens", "secret,admin,admin,system:masters\n")
	write(dir+"/key", privateKey())
	start("kube-apiserver", "--etcd-servers="+clients, "--cert-dir="+dir+"/pki",
		"--bind-address=127.0.0.1", "--secure-port="+port[len("http://127.0.0.1:"):],
		"--endpoint-reconciler-type=none", "--authorization-mode=Node,RBAC",
		"--token-auth-file="+dir+"/tokens", "--service-account-issuer=https://kubernetes",
		"--service-account-key-file="+dir+"/key", "--service-account-signing-key-file="+dir+"/key")
	write(kubeconfig, configFor("https"+port[len("http"):], dir, ""))
	return m.Run()
}

// configFor returns the text of a kubeconfig of the administrator, who acts as somebody else if
// that is not "".
func configFor(server, dir, as string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: test, user: {token: secret, as: %q}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`, server, dir+"/pki/apiserver.crt", as)
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func write(path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
}

// privateKey returns a new key, which signs the tokens of service accounts.
func privateKey() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// as returns a client of a user.
func as(t *testing.T, user string, groups ...string) core.CoreV1Interface {
	t.Helper()
	settings, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	settings.QPS = -1
	if user != "admin" {
		settings.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	}
	client, err := core.NewForConfig(settings)
	require.NoError(t, err)
	return client
}

// kubectl runs kubectl as the administrator, and returns what it prints.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(tools+"kubectl",
		append([]string{"--kubeconfig", kubeconfig}, args...)...).CombinedOutput()
	require.NoError(t, err, "kubectl %s: %s", args, out)
	return string(out)
}

// install waits for kube-apiserver, makes the namespaces, and applies the policies as
// docs/admission.md says. It returns once all of them are in force.
func install(t *testing.T) {
	t.Helper()
	if installed {
		return
	}
	require.Eventually(t, func() bool {
		return exec.Command(tools+"kubectl", "--kubeconfig", kubeconfig, "get", "--raw",
			"/readyz").Run() == nil
	}, patience, 100*time.Millisecond, "kube-apiserver does not start")
	kubectl(t, "apply", "-f", "testdata/cluster.yaml")
	kubectl(t, "apply", "-k", "../../deploy/kubernetes/declared")
	_, err := as(t, "admin").ConfigMaps(tableNamespace).Create(t.Context(),
		&v1.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "ranges"}}, meta.CreateOptions{})
	if !errors.IsAlreadyExists(err) {
		require.NoError(t, err)
	}
	setRow(t, "ranged", rangedRow)
	inForce(t)
	installed = true
}

// installed is whether the policies are in force.
var installed bool

// inForce waits until each policy does what it does. kube-apiserver reads them a while later.
func inForce(t *testing.T) {
	t.Helper()
	admin := as(t, "admin")
	refused := func(err error) bool { return err != nil }
	created := func(namespace string, p pod) (*v1.Pod, error) {
		return admin.Pods(namespace).Create(t.Context(), p.build(), dryRun)
	}
	require.Eventually(t, func() bool {
		marked, err := created("enforced", pod{containers: []string{"web 8080/TCP"}})
		if err != nil || marked.Annotations[key+"/web"] == "" {
			return false
		}
		_, tooMuch := created("enforced", pod{notes: notes{key + "/web": "1"},
			containers: []string{"web 8080/TCP"}})
		_, outside := created("ranged", pod{containers: []string{"web 1/TCP"}})
		_, wrong := admin.ConfigMaps(tableNamespace).Update(t.Context(),
			&v1.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "ranges"},
				Data: map[string]string{"a": "b"}}, meta.UpdateOptions{DryRun: dryRun.DryRun})
		_, without := created("enforced", pod{notes: notes{required: "[]"},
			containers: []string{"web"}})
		return refused(tooMuch) && refused(outside) && refused(wrong) && refused(without) &&
			marked.Annotations[required] != ""
	}, patience, 100*time.Millisecond, "the policies are not in force")
}

// dryRun asks for everything but the change itself.
var dryRun = meta.CreateOptions{DryRun: []string{meta.DryRunAll}}
