package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// nodeIP is the address of the node, which has no other machine to talk to. serviceIP is the
// address by which pods find kube-apiserver. Both belong to lo, so that no kube-proxy is needed.
const (
	nodeName  = "node"
	nodeIP    = "10.7.0.1"
	serviceIP = "10.96.0.1"
	server    = "https://" + serviceIP
	authority = "/etc/kubernetes/pki/apiserver.crt"
)

// users are those that have a kubeconfig, with their groups.
var users = map[string]struct{ name, group string }{
	"admin":              {"admin", "system:masters"},
	"kubelet":            {"system:node:" + nodeName, "system:nodes"},
	"controller-manager": {"system:kube-controller-manager", ""},
	"scheduler":          {"system:kube-scheduler", ""},
}

// startControlPlane starts etcd, kube-apiserver, kube-controller-manager and kube-scheduler on
// the node.
func (n node) startControlPlane() {
	n.t.Helper()
	n.Sh("ip addr add " + nodeIP + "/32 dev lo; ip addr add " + serviceIP + "/32 dev lo")
	tokens := ""
	for user, u := range users {
		tokens += fmt.Sprintf("%s-token,%s,%s,%s\n", user, u.name, user, u.group)
		n.write(kubeconfig(user), fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: cluster
clusters: [{name: cluster, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: user, user: {token: %s-token}}]
contexts: [{name: cluster, context: {cluster: cluster, user: user}}]
`, server, authority, user))
	}
	n.write("/etc/kubernetes/tokens.csv", tokens)
	n.write("/etc/kubernetes/pki/sa.key", privateKey(n.t))

	n.service("notify", "etcd", "/tools/etcd", "--data-dir=/run/etcd", "--unsafe-no-fsync",
		"--listen-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
		"--advertise-client-urls=http://127.0.0.1:2379")
	n.service("notify", "kube-apiserver", "/tools/kube-apiserver",
		"--etcd-servers=http://127.0.0.1:2379", "--cert-dir=/etc/kubernetes/pki",
		"--secure-port=443", "--advertise-address="+nodeIP,
		"--kubelet-preferred-address-types=InternalIP", "--service-cluster-ip-range=10.96.0.0/24",
		"--token-auth-file=/etc/kubernetes/tokens.csv", "--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-key-file=/etc/kubernetes/pki/sa.key",
		"--service-account-signing-key-file=/etc/kubernetes/pki/sa.key",
		"--service-account-issuer="+server, "--allow-privileged=true")
	n.service("exec", "kube-controller-manager", "/tools/kube-controller-manager",
		"--kubeconfig="+kubeconfig("controller-manager"), "--leader-elect=false",
		"--use-service-account-credentials=true", "--root-ca-file="+authority,
		"--service-account-private-key-file=/etc/kubernetes/pki/sa.key")
	n.service("exec", "kube-scheduler", "/tools/kube-scheduler",
		"--kubeconfig="+kubeconfig("scheduler"), "--leader-elect=false")
}

func kubeconfig(user string) string { return "/etc/kubernetes/" + user + ".conf" }

// privateKey returns a new key, which signs the tokens of service accounts.
func privateKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}
