package config

// Below returns the elements of the policy that list nothing but ports below start, as text.
// Port 0 is no such port.
func (p Policy) Below(start int) (elements []string) {
	for _, l := range p.limits {
		for _, r := range l.ports {
			if r.first > 0 && int(r.last) < start {
				elements = append(elements, r.String())
			}
		}
	}
	return elements
}
