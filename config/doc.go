// Package config defines what may be bound and who may say so: the grammar of
// ports, the annotations of a container, and the decision about one request.
//
// Everything here is a pure function of its arguments. The package reads no
// file, no environment variable and no clock, and makes no system call, so the
// agent can ask it for each bind and a test can ask it anything. Files and
// environment variables are read by the package settings below it.
package config
