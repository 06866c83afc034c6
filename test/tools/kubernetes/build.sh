#!/bin/sh
# Makes the names by which the program is called, in the directory of tools.
set -eu
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
	ln -sf kubernetes "$1/$name"
done
