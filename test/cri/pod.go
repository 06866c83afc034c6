package cri

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/port-restricter/port-restricter/test/runc"
)

// Pod is what differs between two pods of the tests.
type Pod struct {
	Annotations, Labels map[string]string
	Handler             string // runtime handler; empty: the engine's default
	Privileged          bool   // containers of it may be

	engine *Engine
	id     string
	config *runtimeapi.PodSandboxConfig
}

// Container is what differs between two containers of a pod.
type Container struct {
	Name        string
	Args        []string
	Annotations map[string]string
	Seccomp     *runtimeapi.SecurityProfile // nil: RuntimeDefault, as the kubelet's
	Privileged  bool

	engine  *Engine
	id, log string
}

// Localhost is a profile from a file, as the kubelet resolves it.
func Localhost(path string) *runtimeapi.SecurityProfile {
	return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Localhost, LocalhostRef: path}
}

var runtimeDefault = &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_RuntimeDefault}

func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Run starts the pod on the engine's own network. The pod ends with the test.
func (e *Engine) Run(t testing.TB, p Pod) (*Pod, error) {
	t.Helper()
	ctx, cancel := within()
	defer cancel()
	logs, err := os.MkdirTemp(e.Dir, "logs")
	require.NoError(t, err)
	uid := filepath.Base(logs)
	host := &runtimeapi.NamespaceOption{Network: runtimeapi.NamespaceMode_NODE, Pid: runtimeapi.NamespaceMode_CONTAINER}
	p.engine, p.config = e, &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: "pod", Namespace: "test", Uid: uid},
		LogDirectory: logs,
		Annotations:  p.Annotations,
		Labels:       p.Labels,
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent:    "/" + e.cgroup,
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: host, Seccomp: runtimeDefault, Privileged: p.Privileged},
		},
	}
	made, err := e.RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{Config: p.config, RuntimeHandler: p.Handler})
	if err != nil {
		return nil, err
	}
	p.id = made.PodSandboxId
	t.Cleanup(func() {
		ctx, cancel := within()
		defer cancel()
		_, err := e.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: p.id})
		require.NoError(t, err)
		_, err = e.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: p.id})
		require.NoError(t, err)
	})
	return &p, nil
}

// Start creates the container and starts it.
func (p *Pod) Start(t testing.TB, c Container) (*Container, error) {
	t.Helper()
	ctx, cancel := within()
	defer cancel()
	if c.Seccomp == nil {
		c.Seccomp = runtimeDefault
	}
	c.engine, c.log = p.engine, filepath.Join(p.config.LogDirectory, c.Name+".log")
	image := &runtimeapi.ImageSpec{Image: image, UserSpecifiedImage: image}
	made, err := p.engine.CreateContainer(ctx, &runtimeapi.CreateContainerRequest{
		PodSandboxId: p.id, SandboxConfig: p.config,
		Config: &runtimeapi.ContainerConfig{
			Metadata:    &runtimeapi.ContainerMetadata{Name: c.Name},
			Image:       image,
			Command:     c.Args,
			Annotations: c.Annotations,
			LogPath:     c.Name + ".log",
			// As the kubelet: engines of Kubernetes read these, and only these.
			Labels: map[string]string{"io.kubernetes.container.name": c.Name, "io.kubernetes.pod.name": "pod", "io.kubernetes.pod.namespace": "test", "io.kubernetes.pod.uid": p.config.Metadata.Uid},
			Linux: &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{
				NamespaceOptions: p.config.Linux.SecurityContext.NamespaceOptions, Seccomp: c.Seccomp, Privileged: c.Privileged,
			}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	c.id = made.ContainerId
	if _, err := p.engine.StartContainer(ctx, &runtimeapi.StartContainerRequest{ContainerId: c.id}); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return &c, nil
}

// Exec runs a further process in the container to its end, as kubectl exec does.
func (c *Container) Exec(args ...string) (runc.Result, error) {
	ctx, cancel := within()
	defer cancel()
	r, err := c.engine.ExecSync(ctx, &runtimeapi.ExecSyncRequest{ContainerId: c.id, Cmd: args, Timeout: int64(patience.Seconds())})
	if err != nil {
		return runc.Result{}, err
	}
	return runc.Result{Code: int(r.ExitCode), Stdout: string(r.Stdout), Stderr: string(r.Stderr)}, nil
}

// Log is what the container's first process wrote.
func (c *Container) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(c.log)
	require.NoError(t, err)
	return string(text)
}

// Ended tells whether the container's first process has ended.
func (c *Container) Ended(t testing.TB) bool {
	t.Helper()
	ctx, cancel := within()
	defer cancel()
	r, err := c.engine.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: c.id})
	require.NoError(t, err)
	return r.Status.State == runtimeapi.ContainerState_CONTAINER_EXITED
}
