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

// A Pod says in what a pod differs from the default, and is the running pod once
// Engine.Run has returned it.
type Pod struct {
	Annotations, Labels map[string]string
	Handler             string // the runtime handler; "" for the engine's default
	Privileged          bool   // whether its containers may be privileged

	engine *Engine
	id     string
	config *runtimeapi.PodSandboxConfig
}

// A Container says in what a container differs from the default, and is the running
// container once Pod.Start has returned it.
type Container struct {
	Name        string
	Args        []string
	Annotations map[string]string
	Seccomp     *runtimeapi.SecurityProfile // nil for RuntimeDefault
	Privileged  bool

	engine  *Engine
	id, log string
}

// Localhost returns a reference to a seccomp profile in a file. The kubelet would resolve
// a Localhost profile to the same reference.
func Localhost(path string) *runtimeapi.SecurityProfile {
	return &runtimeapi.SecurityProfile{
		ProfileType:  runtimeapi.SecurityProfile_Localhost,
		LocalhostRef: path,
	}
}

var runtimeDefault = &runtimeapi.SecurityProfile{
	ProfileType: runtimeapi.SecurityProfile_RuntimeDefault,
}

// within returns a context that ends after patience.
func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Run starts the pod, in the network namespace of the engine. The pod is removed after the
// test. The error is the engine's.
func (e *Engine) Run(t testing.TB, p Pod) (*Pod, error) {
	t.Helper()
	ctx, cancel := within()
	defer cancel()
	logs, err := os.MkdirTemp(e.Dir, "logs")
	require.NoError(t, err)
	uid := filepath.Base(logs)
	namespaces := &runtimeapi.NamespaceOption{
		Network: runtimeapi.NamespaceMode_NODE,
		Pid:     runtimeapi.NamespaceMode_CONTAINER,
	}
	p.engine, p.config = e, &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: "pod", Namespace: "test", Uid: uid},
		LogDirectory: logs,
		Annotations:  p.Annotations,
		Labels:       p.Labels,
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent: "/" + e.cgroup,
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{
				NamespaceOptions: namespaces,
				Seccomp:          runtimeDefault,
				Privileged:       p.Privileged,
			},
		},
	}
	response, err := e.RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{
		Config: p.config, RuntimeHandler: p.Handler,
	})
	if err != nil {
		return nil, err
	}
	p.id = response.PodSandboxId
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

// Start creates the container and starts it. The error is the engine's, with the step that
// failed.
func (p *Pod) Start(t testing.TB, c Container) (*Container, error) {
	t.Helper()
	ctx, cancel := within()
	defer cancel()
	if c.Seccomp == nil {
		c.Seccomp = runtimeDefault
	}
	c.engine, c.log = p.engine, filepath.Join(p.config.LogDirectory, c.Name+".log")
	image := &runtimeapi.ImageSpec{Image: Image, UserSpecifiedImage: Image}
	response, err := p.engine.CreateContainer(ctx, &runtimeapi.CreateContainerRequest{
		PodSandboxId: p.id, SandboxConfig: p.config,
		Config: &runtimeapi.ContainerConfig{
			Metadata:    &runtimeapi.ContainerMetadata{Name: c.Name},
			Image:       image,
			Command:     c.Args,
			Annotations: c.Annotations,
			LogPath:     c.Name + ".log",
			// The labels that the kubelet sets. Engines read these labels only.
			Labels: map[string]string{
				"io.kubernetes.container.name": c.Name,
				"io.kubernetes.pod.name":       "pod",
				"io.kubernetes.pod.namespace":  "test",
				"io.kubernetes.pod.uid":        p.config.Metadata.Uid,
			},
			Linux: &runtimeapi.LinuxContainerConfig{
				SecurityContext: &runtimeapi.LinuxContainerSecurityContext{
					NamespaceOptions: p.config.Linux.SecurityContext.NamespaceOptions,
					Seccomp:          c.Seccomp,
					Privileged:       c.Privileged,
				},
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("create container %s: %w", c.Name, err)
	}
	c.id = response.ContainerId
	start := &runtimeapi.StartContainerRequest{ContainerId: c.id}
	if _, err := p.engine.StartContainer(ctx, start); err != nil {
		return nil, fmt.Errorf("start container %s: %w", c.Name, err)
	}
	return &c, nil
}

// ID returns the id that the engine has given the container.
func (c *Container) ID() string { return c.id }

// Exec runs another process in the container to its end, as kubectl exec does.
func (c *Container) Exec(args ...string) (runc.Result, error) {
	ctx, cancel := within()
	defer cancel()
	r, err := c.engine.ExecSync(ctx, &runtimeapi.ExecSyncRequest{
		ContainerId: c.id, Cmd: args, Timeout: int64(patience.Seconds()),
	})
	if err != nil {
		return runc.Result{}, err
	}
	return runc.Result{
		Code: int(r.ExitCode), Stdout: string(r.Stdout), Stderr: string(r.Stderr),
	}, nil
}

// Log returns what the container's first process has written.
func (c *Container) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(c.log)
	require.NoError(t, err)
	return string(text)
}

// Ended reports whether the container's first process has ended.
func (c *Container) Ended(t testing.TB) bool {
	t.Helper()
	ctx, cancel := within()
	defer cancel()
	r, err := c.engine.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{
		ContainerId: c.id,
	})
	require.NoError(t, err)
	return r.Status.State == runtimeapi.ContainerState_CONTAINER_EXITED
}
