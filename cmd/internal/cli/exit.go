package cli

// StatusFailure is the exit status if port-restricter itself fails, as for env(1) and
// container engines. It leaves the smaller numbers to the command that
// port-restricter runs.
const StatusFailure = 125
