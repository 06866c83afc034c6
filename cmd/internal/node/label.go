package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// ReadyLabel is the label of a node that restricts containers.
const ReadyLabel = "port-restricter.io/ready"

// Labeller returns the function that sets or removes the label of the Kubernetes node of a name, by
// the service account of this pod. A patch is all that the account may do.
func Labeller(name string) (func(ctx context.Context, ready bool) error, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("find Kubernetes to label node %s: %w", name, err)
	}
	config.Timeout = 30 * time.Second
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("use this pod's service account: %w", err)
	}
	where := config.Host + "/api/v1/nodes/" + url.PathEscape(name) +
		"?fieldManager=port-restricter-node"
	return func(ctx context.Context, ready bool) error {
		value := "null"
		if ready {
			value = `"true"`
		}
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%s}}}`, ReadyLabel, value)
		if err := send(ctx, client, where, patch); err != nil {
			return fmt.Errorf("label node %s: %w", name, err)
		}
		return nil
	}, nil
}

// send sends a JSON merge patch.
func send(ctx context.Context, client *http.Client, where, patch string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, where,
		strings.NewReader(patch))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return fmt.Errorf("%s: %s", response.Status, said)
	}
	return nil
}
