package cli

// StatusFailure is the exit status of a failure of port-restricter itself, as with
// env(1) and container engines. Smaller numbers are the status of the command that
// it runs.
const StatusFailure = 125
