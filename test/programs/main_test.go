// Package programs tests unmodified programs, as Debian packages them, under
// port-restricter. Each serves on its allowed port exactly as it does on the bare machine,
// and reports a refused port in its own words.
package programs

import (
	"flag"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// shared is a directory that every user can read, which the checkout may not be. It has
// port-restricter in bin, and a copy of testdata.
var shared = func() string {
	dir, err := os.MkdirTemp("/tmp", "port-restricter-programs")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}()

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "2"); err != nil { // the programs start at full load
		log.Fatal(err)
	}
	status := 1
	if err := share(); err != nil {
		log.Print(err)
	} else {
		status = m.Run()
	}
	os.RemoveAll(shared)
	os.Exit(status)
}

func share() error {
	if err := os.Chmod(shared, 0o755); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(shared, "testdata"), os.DirFS("testdata")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(shared, "bin"), 0o755); err != nil {
		return err
	}
	for _, program := range []string{"port-restricter", "port-restricter-admin"} {
		binary, err := os.ReadFile("../../bin/" + program) // of `make build`
		if err != nil {
			return err
		}
		err = os.WriteFile(filepath.Join(shared, "bin", program), binary, 0o755)
		if err != nil {
			return err
		}
	}
	// Modules of their own keep QUIC and Kubernetes out of port-restricter's go.mod.
	for _, module := range []string{"network", "readers"} {
		build := exec.Command("go", "build", "-o", filepath.Join(shared, "bin"), ".")
		build.Dir, build.Stderr = filepath.Join("testdata", module), os.Stderr
		if err := build.Run(); err != nil {
			return err
		}
	}
	compile := exec.Command("musl-gcc", "-static", "-Wall", "-o",
		filepath.Join(shared, "bin", "resolve"), filepath.Join("testdata", "resolve.c"))
	compile.Stderr = os.Stderr
	if err := compile.Run(); err != nil {
		return err
	}
	// Debian's programs, not others of the same name.
	return os.Setenv("PATH", filepath.Join(shared, "bin")+":/usr/sbin:/usr/bin:/sbin:/bin")
}
