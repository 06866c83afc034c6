// Package node puts port-restricter on a node, and takes it away again. It works in a pod, with
// parts of the node's file system mounted below a directory, and steers the node's systemd by
// D-Bus: no program of the node is run by the pod, and the pod needs no capability.
//
// What is done is safe to repeat. Each file is replaced in one step, and only if it changes. What
// is to be done is written down before it is done (ledger.go), so that the next run goes on where
// one was killed, and a removal finds everything.
package node
