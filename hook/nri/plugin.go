package nri

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/nri/pkg/api"
	"github.com/sirupsen/logrus"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// A Plugin answers the requests of an engine. Its exported methods, except Serve, are
// requests of NRI. Package stub calls them.
type Plugin struct {
	// Options are the options of the filter.
	Options filter.Options
	// Rules returns the administrator's rules that are in force. It is called for each container:
	// the plugin runs for longer than rules stay the same.
	Rules func() (config.Rules, error)
	// Guard is the path, on the node, of the port-restricter that the OCI runtime
	// runs as createRuntime and poststart hook. It refuses a container whose filter
	// the engine dropped without an error, as CRI-O 1.34 does.
	Guard string
	// Ready, if it is not nil, is called whenever an engine has the plugin.
	Ready func()
	Log   *logrus.Logger

	// showsPolicies means that the engine shows a container's own seccomp policy, so
	// a container without one is unconfined.
	showsPolicies bool
}

// Configure receives the name and the version of the engine.
func (p *Plugin) Configure(_ context.Context, _, engine, version string) (api.EventMask, error) {
	p.showsPolicies = showsPolicies(engine, version)
	p.Log.WithFields(logrus.Fields{"engine": engine, "version": version}).
		Info("registered with the engine")
	held, err := p.held(config.Container{})
	if err != nil {
		p.Log.WithError(err).Error("every container of this engine is refused")
	} else if held {
		p.Log.WithField("metadata", p.Options.ListenerMetadata).Warn("the metadata, or a rule" +
			" without conditions, restricts every container that this engine creates from now on," +
			" those of the system too")
	}
	return 0, nil // all events that Plugin has methods for
}

// Synchronize receives the containers that already exist. Nothing can be injected
// into them, so it logs those that should be restricted and are not.
func (p *Plugin) Synchronize(
	_ context.Context, pods []*api.PodSandbox, containers []*api.Container,
) ([]*api.ContainerUpdate, error) {
	if p.Ready != nil {
		p.Ready()
	}
	podOf := map[string]*api.PodSandbox{}
	for _, pod := range pods {
		podOf[pod.GetId()] = pod
	}
	for _, c := range containers {
		held, err := p.held(container(podOf[c.GetPodSandboxId()], c))
		if err != nil {
			return nil, nil // Configure has logged it
		}
		listener := c.GetLinux().GetSeccompPolicy().GetListenerPath()
		if held && p.showsPolicies && listener != p.Options.ListenerPath {
			p.Log.WithField("container", c.GetId()).
				Warn("not restricted: the container was created without this plugin;" +
					" create the container again")
		}
	}
	return nil, nil
}

// CreateContainer puts the filter into a container that is held (config.Held). If it returns an
// error, the engine does not create the container. With the FailurePolicy that Serve
// asks for, the engine does not do so either if the plugin does not answer.
func (p *Plugin) CreateContainer(
	_ context.Context, pod *api.PodSandbox, c *api.Container,
) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	named := container(pod, c)
	var adjustment *api.ContainerAdjustment
	held, err := p.held(named)
	switch {
	case err == nil && !held:
		return nil, nil, nil
	case err == nil:
		adjustment, err = p.adjust(named, pod, c)
	}
	log := p.Log.WithFields(logrus.Fields{
		"container": c.GetId(),
		"name":      c.GetName(),
		"pod":       pod.GetNamespace() + "/" + pod.GetName(),
	})
	if err != nil {
		log.WithError(err).Error("container refused")
		return nil, nil, fmt.Errorf("port-restricter: %w", err)
	}
	log.Info("filter injected")
	return adjustment, nil, nil
}

// held reports whether a container is held by the rules that are in force.
func (p *Plugin) held(c config.Container) (bool, error) {
	rules, err := p.Rules()
	return err == nil && config.Held(c, p.Options.ListenerMetadata, rules), err
}

// container returns what the engine says of a container.
func container(pod *api.PodSandbox, c *api.Container) config.Container {
	who := config.Identity{
		Namespace: pod.GetNamespace(), Pod: pod.GetName(), Name: c.GetName(),
	}
	return config.PodContainer(who, pod.GetAnnotations(), c.GetAnnotations())
}

// adjust returns the changes to a container that is held: the profile with the filter,
// the annotations, and the guard.
func (p *Plugin) adjust(
	container config.Container, pod *api.PodSandbox, c *api.Container,
) (*api.ContainerAdjustment, error) {
	// CRI-O gives the OCI runtime all annotations of the pod, containerd some of them.
	for _, all := range []map[string]string{pod.GetAnnotations(), c.GetAnnotations()} {
		if err := hook.CheckAnnotations(all); err != nil {
			return nil, err
		}
	}
	rules, err := p.Rules()
	if err != nil {
		return nil, err
	}
	if _, err := config.FromState(container, p.Options.ListenerMetadata, rules); err != nil {
		return nil, err
	}
	base, err := p.base(c)
	if err != nil {
		return nil, err
	}
	merged, err := filter.Merge(base, p.Options)
	if err != nil {
		return nil, err
	}
	if merged.DefaultErrnoRet != nil && *merged.DefaultErrnoRet != eperm {
		return nil, errors.New("the container's seccomp profile has a defaultErrnoRet, which NRI" +
			" would drop: put the filter into the profile instead," +
			" with port-restricter profile --base FILE")
	}
	if err := hook.CheckAgent(p.Options.ListenerPath); err != nil {
		return nil, err
	}
	adjustment := &api.ContainerAdjustment{}
	adjustment.SetLinuxSeccompPolicy(api.FromOCILinuxSeccomp(merged))
	// The agent needs the annotations in the container's state, and engines do not pass
	// a pod's annotations on to the OCI runtime.
	for key, value := range container.Annotations {
		if strings.HasPrefix(key, config.KeyPrefix) {
			adjustment.AddAnnotation(key, value)
		}
	}
	adjustment.AddHooks(&api.Hooks{
		CreateRuntime: p.guard("createRuntime"), Poststart: p.guard("poststart"),
	})
	return adjustment, nil
}

// guard returns the guard hook of a stage.
func (p *Plugin) guard(stage string) []*api.Hook {
	return []*api.Hook{{
		Path: p.Guard,
		Args: []string{
			"port-restricter", "hook", stage,
			"--listener", p.Options.ListenerPath,
			"--metadata", p.Options.ListenerMetadata,
		},
	}}
}
