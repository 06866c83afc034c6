// Command readers prints, as JSON, the annotations that Kubernetes or docker compose reads in what
// `port-restricter learn` has written.
package main

import (
	"context"
	"encoding/json"
	"log"
	"maps"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: readers pod FILE | readers compose FILE...")
	}
	read := compose
	if os.Args[1] == "pod" {
		read = pod
	}
	annotations, err := read(os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(annotations)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// pod reads a pod as the API server does with strict validation.
func pod(files []string) (map[string]string, error) {
	text, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	var p corev1.Pod
	if err := yaml.UnmarshalStrict(text, &p); err != nil {
		return nil, err
	}
	path := field.NewPath("metadata", "annotations")
	return p.Annotations, validation.ValidateAnnotations(p.Annotations, path).ToAggregate()
}

// compose reads a project that is written in several files.
func compose(files []string) (map[string]string, error) {
	options, err := cli.NewProjectOptions(files, cli.WithName("test"))
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, service := range project.Services {
		maps.Copy(found, service.Annotations)
	}
	return found, nil
}
