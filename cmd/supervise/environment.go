package supervise

// extern char **environ;
import "C"

import "unsafe"

// environment is environ(7) to the letter: os.Environ leaves out duplicates and empty strings.
func environment() (env []string) {
	for p := C.environ; p != nil && *p != nil; p = (**C.char)(unsafe.Add(unsafe.Pointer(p), unsafe.Sizeof(p))) {
		env = append(env, C.GoString(*p))
	}
	return env
}
