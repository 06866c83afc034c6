package sysmon

// #include "sysmon.h"
import "C"

// WaitForThreads makes this process wait, from now on, whenever no thread can be
// created. Go's runtime would end the process: then every process on the machine that
// may start processes without a limit could end the supervisor, and take the ports
// from all containers.
func WaitForThreads() { C.wait_for_threads() }
