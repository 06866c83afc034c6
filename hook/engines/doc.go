// Package engines writes port-restricter into the configuration of podman,
// containerd, CRI-O, Docker and the kubelet, and into services of systemd, and takes it
// out again. It does the work of `port-restricter configure` and of
// `port-restricter systemd`.
//
// Each engine has a file with one exported function from Options to a Plan. The
// function only reads. Showing a Plan (Plan.Diff) and carrying it out (Plan.Apply)
// are the same for all engines. A new engine is a file of its own with a
// function of this kind, a line in cmd/port-restricter-admin/configure.go, and cases in
// testdata.
//
// The package depends on packages filter and base for the kubelet's profile, on package
// atomicfile to replace files, and on how each engine reads and merges its
// configuration files. The comments record those rules, with the versions in
// which they were measured.
//
// These things must never be done here:
//   - Overwrite or delete what another program or the administrator wrote. A file
//     of the same name is an error, and a file with other content is edited in
//     place, so that --remove restores it byte for byte.
//   - Leave half a file, or a configuration that names a file that does not
//     exist: containerd, for one, does not start then.
//   - Overwrite a change that was made after the plan.
//   - Follow a symbolic link out of Options.Root, from an image into the files of
//     this machine.
//   - Guess. Where the place for an edit is not certain, the error says what the
//     administrator has to write.
package engines
