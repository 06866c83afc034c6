package podevents

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"
)

// byContainer is the index of pods by the ids of their containers.
const byContainer = "container"

// pods are those of the node.
type pods struct {
	index   cache.Indexer
	changed chan struct{} // has an element if a pod is not as it was
}

// watchPods returns the pods of the node, and keeps them up to date until ctx is done.
func watchPods(ctx context.Context, o Options) (*pods, error) {
	source := cache.NewListWatchFromClient(o.Cluster.RESTClient(), "pods", meta.NamespaceAll,
		fields.OneTermEqualSelector("spec.nodeName", o.Node))
	informer := cache.NewSharedIndexInformerWithOptions(source, &v1.Pod{},
		cache.SharedIndexInformerOptions{Indexers: cache.Indexers{byContainer: containerIDs}})
	if err := informer.SetTransform(shorten); err != nil {
		return nil, fmt.Errorf("watch the pods of the node: %w", err)
	}
	all := &pods{informer.GetIndexer(), make(chan struct{}, 1)}
	change := func() {
		select {
		case all.changed <- struct{}{}:
		default:
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { change() },
		UpdateFunc: func(any, any) { change() },
	})
	if err != nil {
		return nil, fmt.Errorf("watch the pods of the node: %w", err)
	}
	go informer.RunWithContext(ctx)
	return all, nil
}

// find returns a reference to the container with an id, and its name, or nil if no pod is known to
// have it.
func (p *pods) find(id string) (*v1.ObjectReference, string) {
	found, err := p.index.ByIndex(byContainer, id)
	if err != nil || len(found) != 1 {
		return nil, ""
	}
	pod, ok := found[0].(*v1.Pod)
	if !ok {
		return nil, ""
	}
	reference := &v1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
		ResourceVersion: pod.ResourceVersion,
	}
	for field, list := range statuses(pod) {
		for _, status := range list {
			if slices.Contains(idsOf(status), id) {
				reference.FieldPath = fmt.Sprintf("spec.%s{%s}", field, status.Name)
				return reference, status.Name
			}
		}
	}
	return nil, ""
}

// statuses returns what the kubelet wrote of a pod's containers, by the field of the spec.
func statuses(pod *v1.Pod) map[string][]v1.ContainerStatus {
	return map[string][]v1.ContainerStatus{
		"containers":          pod.Status.ContainerStatuses,
		"initContainers":      pod.Status.InitContainerStatuses,
		"ephemeralContainers": pod.Status.EphemeralContainerStatuses,
	}
}

// idsOf returns the ids of a container and of the one before it. The kubelet writes ENGINE://ID.
func idsOf(status v1.ContainerStatus) (ids []string) {
	texts := []string{status.ContainerID}
	for _, state := range []v1.ContainerState{status.State, status.LastTerminationState} {
		if state.Terminated != nil {
			texts = append(texts, state.Terminated.ContainerID)
		}
	}
	for _, text := range texts {
		if _, id, ok := strings.Cut(text, "://"); ok && id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// containerIDs is the function of the index.
func containerIDs(object any) (ids []string, _ error) {
	pod, ok := object.(*v1.Pod)
	if !ok {
		return nil, fmt.Errorf("%T is no pod", object)
	}
	for _, list := range statuses(pod) {
		for _, status := range list {
			ids = append(ids, idsOf(status)...)
		}
	}
	return ids, nil
}

// shorten leaves of a pod what is needed here.
func shorten(object any) (any, error) {
	pod, ok := object.(*v1.Pod)
	if !ok {
		return object, nil
	}
	return &v1.Pod{
		ObjectMeta: meta.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
			ResourceVersion: pod.ResourceVersion,
		},
		Status: v1.PodStatus{
			ContainerStatuses:          pod.Status.ContainerStatuses,
			InitContainerStatuses:      pod.Status.InitContainerStatuses,
			EphemeralContainerStatuses: pod.Status.EphemeralContainerStatuses,
		},
	}, nil
}
