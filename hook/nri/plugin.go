// Package nri injects the filter through the Node Resource Interface: engines of
// Kubernetes that have it (containerd 2.2, CRI-O 1.34) ask a plugin about each
// container, and need no other runtime and no profile file.
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

// A Plugin answers the engine's questions.
type Plugin struct {
	// Options of the filter.
	Options filter.Options
	// Guard is the path, on the node, of the program that the OCI runtime runs as
	// createRuntime hook: an engine may drop what it was told without a word, as
	// CRI-O 1.34 does.
	Guard string
	Log   *logrus.Logger

	// showsPolicies: the engine tells a container's own seccomp policy, so that
	// none means unconfined.
	showsPolicies bool
}

// Configure is told by which engine we are asked.
func (p *Plugin) Configure(_ context.Context, _, engine, version string) (api.EventMask, error) {
	p.showsPolicies = showsPolicies(engine, version)
	p.Log.WithFields(logrus.Fields{"engine": engine, "version": version}).Info("registered")
	return 0, nil // the events that we have methods for
}

// Synchronize is told what runs already, which nothing can be injected into.
func (p *Plugin) Synchronize(_ context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	podAnnotations := map[string]map[string]string{}
	for _, pod := range pods {
		podAnnotations[pod.GetId()] = pod.GetAnnotations()
	}
	for _, c := range containers {
		annotated := config.Annotated(config.ContainerAnnotations(c.GetName(), podAnnotations[c.GetPodSandboxId()], c.GetAnnotations()))
		if annotated && p.showsPolicies && c.GetLinux().GetSeccompPolicy().GetListenerPath() != p.Options.ListenerPath {
			p.Log.WithField("container", c.GetId()).Warn("not restricted: it was created without this plugin; create it again")
		}
	}
	return nil, nil
}

// CreateContainer puts the filter into an annotated container. An error of ours
// is the container's, with FailurePolicy also silence.
func (p *Plugin) CreateContainer(_ context.Context, pod *api.PodSandbox, c *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	annotations := config.ContainerAnnotations(c.GetName(), pod.GetAnnotations(), c.GetAnnotations())
	if !config.Annotated(annotations) {
		return nil, nil, nil
	}
	adjustment, err := p.adjust(annotations, c)
	log := p.Log.WithFields(logrus.Fields{"container": c.GetId(), "name": c.GetName(), "pod": pod.GetNamespace() + "/" + pod.GetName()})
	if err != nil {
		log.WithError(err).Error("refused")
		return nil, nil, fmt.Errorf("port-restricter: %w", err)
	}
	log.Info("injected")
	return adjustment, nil, nil
}

func (p *Plugin) adjust(annotations map[string]string, c *api.Container) (*api.ContainerAdjustment, error) {
	if _, err := config.FromState(annotations, p.Options.ListenerMetadata); err != nil {
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
		return nil, errors.New("its seccomp profile has a defaultErrnoRet, which NRI would drop; put the filter into the profile itself: port-restricter profile --base FILE")
	}
	if err := hook.CheckAgent(p.Options.ListenerPath); err != nil {
		return nil, err
	}
	adjustment := &api.ContainerAdjustment{}
	adjustment.SetLinuxSeccompPolicy(api.FromOCILinuxSeccomp(merged))
	// The agent reads them: engines keep a pod's annotations from the OCI runtime.
	for key, value := range annotations {
		if strings.HasPrefix(key, config.KeyPrefix) {
			adjustment.AddAnnotation(key, value)
		}
	}
	adjustment.AddHooks(&api.Hooks{CreateRuntime: []*api.Hook{{
		Path: p.Guard, Args: []string{"port-restricter", "hook", "createRuntime", "--listener", p.Options.ListenerPath, "--metadata", p.Options.ListenerMetadata},
	}}})
	return adjustment, nil
}
