package engines_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/port-restricter/port-restricter/hook/engines"
)

// A plan is made and shown, as `port-restricter configure docker --dry-run` does,
// for the file system of an image. Nothing is written until Plan.Apply is called.
func Example() {
	root, err := os.MkdirTemp("", "image")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	// A plan names files by their real paths, without symbolic links.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		log.Fatal(err)
	}
	conf := filepath.Join(root, "etc/docker/daemon.json")
	if err := os.MkdirAll(filepath.Dir(conf), 0o755); err != nil {
		log.Fatal(err)
	}
	before := `{
  "log-driver": "journald",
  "runtimes": {
    "crun": {"path": "/usr/bin/crun"}
  }
}
`
	if err := os.WriteFile(conf, []byte(before), 0o644); err != nil {
		log.Fatal(err)
	}

	plan, err := engines.Docker(engines.Options{
		Root:     root,
		Binary:   "/usr/local/bin/port-restricter",
		Listener: "/run/port-restricter/agent.sock",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(strings.ReplaceAll(plan.Diff(), root, ""))

	// Output:
	// --- /dev/null
	// +++ /etc/port-restricter/docker/port-restricter-runtime
	// @@ -0,0 +1,4 @@
	// +#!/bin/sh
	// +# Written by port-restricter configure docker; add --remove to delete this file.
	// +export PORT_RESTRICTER_LISTENER='/run/port-restricter/agent.sock'
	// +exec '/usr/local/bin/port-restricter' runtime "$@"
	// --- /etc/docker/daemon.json
	// +++ /etc/docker/daemon.json
	// @@ -1,6 +1,7 @@
	//  {
	//    "log-driver": "journald",
	//    "runtimes": {
	// -    "crun": {"path": "/usr/bin/crun"}
	// +    "crun": {"path": "/usr/bin/crun"},
	// +    "port-restricter": {"path": "/etc/port-restricter/docker/port-restricter-runtime"}
	//    }
	//  }
}
