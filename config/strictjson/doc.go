// Package strictjson decodes JSON that another program reads as well, and must read in the
// same way.
//
// Package encoding/json is generous: it matches keys whatever their case, takes the last of
// two equal keys, and replaces invalid UTF-8. An OCI runtime written in C takes a key only in
// its exact case, may take the first of two, and ends a string at a NUL. So one config.json can
// have a seccomp profile for the one and none for the other. Text in which such readers can
// disagree is an error here. Everything else decodes as with encoding/json; keys that the Go
// type does not have are allowed, since newer specs have more of them.
package strictjson
