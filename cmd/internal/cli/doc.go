// Package cli has what several commands of port-restricter share: the flags of the
// commands that inject the filter, logging for the commands that run until they are
// stopped, and the exit status of a failure.
//
// The commands are cobra commands, and their defaults come from package
// config/settings. The package must stay free of the agent, of NRI and of everything
// else that only one command needs: the OCI runtime shim starts once for each
// container, and pays for what the program initializes.
package cli
