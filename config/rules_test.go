package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rulesOf returns rules that are in lines 1, 2, … of a file.
func rulesOf(t testing.TB, texts ...RuleText) Rules {
	t.Helper()
	rules, err := ParseRules(placed(texts))
	require.NoError(t, err)
	return rules
}

func placed(texts []RuleText) []RuleText {
	for i := range texts {
		at := fmt.Sprintf("file:%d", i+1)
		texts[i].At = map[string]string{
			"": at, "namespace": at, "pod": at, "container": at,
			"allow": at, "default": at, "audit": at,
		}
	}
	return texts
}

// decided says in a word what a policy answers to a bind: the port is allowed or not.
func decided(p Policy, port uint16) bool {
	return p.Decide(Request{Bind, TCP, anywhere, port, false}).Verdict != Deny
}

// matrixContainers returns containers without annotations of ours. Those of the team are the
// container web of the pod web-1 in the namespace team-a.
func matrixContainers(t *testing.T) map[string]Container {
	all := map[string]Container{"nobody's": of(map[string]string{})}
	files, err := filepath.Glob("testdata/states/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		c := recorded(t, file)
		delete(c.Annotations, "port-restricter.port")
		delete(c.Annotations, "port-restricter.port/web")
		for key, value := range map[string]string{
			namespaceCRIO: "team-a", namespaceContainerd: "team-a",
			podCRIO: "web-1", podContainerd: "web-1",
		} {
			if _, has := c.Annotations[key]; has {
				c.Annotations[key] = value
			}
		}
		all["the team's "+filepath.Base(file)] = c
	}
	all["the team's NRI"] = PodContainer(
		Identity{Namespace: "team-a", Pod: "web-1", Name: "web"}, nil, nil)
	return all
}

func TestTheFirstRuleWhoseConditionsHoldIsTheContainers(t *testing.T) {
	const mine = "1-65535" // of the container's rule if the team's conditions hold
	for name, test := range map[string]struct {
		rule  RuleText
		holds bool
	}{
		"namespace": {RuleText{Namespace: new("team-a")}, true},
		"glob":      {RuleText{Namespace: new("team-*"), Pod: new("web-?")}, true},
		"all three": {
			RuleText{Namespace: new("*"), Pod: new("web-[0-9]"), Container: new("web")}, true},
		"another namespace":      {RuleText{Namespace: new("team-b")}, false},
		"not a part of the name": {RuleText{Namespace: new("team")}, false},
		"one condition does not": {
			RuleText{Namespace: new("team-a"), Container: new("db")}, false},
		"a letter in upper case":  {RuleText{Namespace: new("Team-a")}, false},
		"any container of a name": {RuleText{Container: new("*")}, true},
	} {
		rule := test.rule
		rule.Default = new(mine)
		rules := rulesOf(t, rule, RuleText{Default: new("none")})
		for engine, c := range matrixContainers(t) {
			t.Run(name+"/"+engine, func(t *testing.T) {
				p, err := FromState(c, "", rules)
				require.NoError(t, err)
				// A condition on something unknown does not hold.
				require.Equal(t, test.holds && engine != "nobody's", decided(p, 80))
				require.True(t, Held(c, "", rules))
			})
		}
	}
}

// The matrix of what the rule says and what the annotations ask for.
func TestARuleBoundsAnnotationsAndReplacesThem(t *testing.T) {
	type annotations = map[string]string
	port := func(ports string) annotations { return annotations{AnnotationPort: ports} }
	audited := annotations{AnnotationPort: "8000", AnnotationMode: "audit"}
	allow := RuleText{Allow: new("8000-8099")}
	both := RuleText{Allow: new("8000-8099"), Default: new("8001")}
	for name, test := range map[string]struct {
		rule        RuleText
		annotations annotations
		metadata    string
		policy      string // or an error that begins so
		held        bool
	}{
		"within": {allow, port("8000,8010-8099/tcp"), "",
			"8000,8010-8099/tcp and 8000-8099", true},
		"too much": {allow, port("8000,80"), "",
			`annotation port-restricter.port=8000,80: 80 is more than allow = "8000-8099" ` +
				`of rule 1 (file:1)`, true},
		"an address": {allow, port("127.0.0.1:8000"), "",
			"127.0.0.1:8000 and 8000-8099", true},
		"the kernel's choice": {allow, port("0"), "",
			"annotation port-restricter.port=0: 0 is more than allow", true},
		"none": {allow, port("none"), "",
			"none and 8000-8099", true},
		"a map": {allow, annotations{AnnotationPort: "8000", AnnotationMap: "80:8000"}, "",
			"8000 and 8000-8099 map=80:8000", true},
		"wrong": {allow, port("x"), "",
			"annotation port-restricter.port: ", true},
		"no annotation": {allow, nil, "",
			"no policy", false},
		"only metadata": {allow, nil, "port-restricter.port=1-9000",
			"1-9000 and 8000-8099", true},
		"allow nothing": {RuleText{Allow: new("none")}, port("80"), "",
			`annotation port-restricter.port=80: 80 is more than allow = "none"`, true},

		"default": {both, nil, "",
			"8001 and 8000-8099", true},
		"default and metadata": {both, nil, "port-restricter.port=80",
			"8001 and 80 and 8000-8099", true},
		"an annotation in place": {both, port("8002"), "",
			"8002 and 8000-8099", true},
		"default is not an allow": {RuleText{Default: new("8001")}, port("9"), "",
			"9", true},
		"default none": {RuleText{Default: new("none")}, nil, "",
			"none", true},
		"default none and metadata": {
			RuleText{Default: new("none")}, nil, "port-restricter.port=80",
			"none and 80", true},
		"unrestricted": {RuleText{Default: new("unrestricted")}, nil, "",
			"1-65535", false},
		"unrestricted and metadata": {
			RuleText{Default: new("unrestricted")}, nil, "port-restricter.port=80",
			"1-65535 and 80", true},
		"unrestricted, annotated": {RuleText{Default: new("unrestricted")}, port("80"), "",
			"80", true},
		"only a mode": {both, annotations{AnnotationMode: "audit"}, "",
			"annotation port-restricter.port is missing", true},

		"audit": {RuleText{Audit: new(true)}, audited, "",
			"8000 mode=audit", true},
		"audit does not lift allow": {RuleText{Allow: new("8000"), Audit: new(true)}, audited, "",
			"8000 mode=audit and 8000", true},
		"no audit": {RuleText{Audit: new(false)}, audited, "",
			"8000", true},
		"no audit, but by metadata": {
			RuleText{Audit: new(false)}, audited, "port-restricter.audit=allow",
			"8000", true},
		"audit, but not by metadata": {
			RuleText{Audit: new(true)}, audited, "port-restricter.audit=deny",
			"8000", true},
		"audit by metadata": {allow, audited, "port-restricter.audit=allow",
			"8000 mode=audit and 8000-8099", true},
		"audit is nobody's annotation": {
			RuleText{Audit: new(true)},
			annotations{AnnotationPort: "8000", AnnotationAudit: "allow"}, "",
			"annotation port-restricter.audit is the administrator's", true},
	} {
		rules := rulesOf(t, test.rule)
		for engine, c := range matrixContainers(t) {
			t.Run(name+"/"+engine, func(t *testing.T) {
				c.Annotations = with(test.annotations, c.Annotations)
				require.Equal(t, test.held, Held(c, test.metadata, rules))
				p, err := FromState(c, test.metadata, rules)
				if err != nil {
					require.Equal(t, Policy{}, p)
					require.Contains(t, err.Error(), test.policy)
					return
				}
				require.Equal(t, test.policy, p.String())
			})
		}
	}
}

// What a rule says is what a container without an annotation may do, and names the rule.
func TestReasonsNameTheRule(t *testing.T) {
	rules := rulesOf(t, RuleText{Allow: new("8000-8099"), Default: new("8000"), Audit: new(true)})
	p, err := FromState(Container{}, "", rules)
	require.NoError(t, err)
	require.Equal(t, `port 80/tcp at 0.0.0.0 is not in default = "8000" of rule 1 (file:1)`,
		p.Decide(Request{Bind, TCP, anywhere, 80, false}).Reason.String())
	p, err = FromState(of(map[string]string{
		AnnotationPort: "8001", AnnotationMode: "audit",
	}), "", rules)
	require.NoError(t, err)
	require.True(t, p.Decide(Request{Bind, TCP, anywhere, 8000, false}).Audited)
	require.Equal(t, `port 80/tcp at 0.0.0.0 is not in allow = "8000-8099" of rule 1 (file:1)`,
		p.Decide(Request{Bind, TCP, anywhere, 80, false}).Reason.String())
	// Unrestricted is everything there is.
	p, err = FromState(Container{}, "", rulesOf(t, RuleText{Default: new("unrestricted")}))
	require.NoError(t, err)
	for _, r := range []Request{
		{Bind, Other, anywhere, 1, false}, {Listen, TCP, anywhere, 0, true},
		{Bind, UDP, anywhere, 0, false},
	} {
		require.Equal(t, Allow, p.Decide(r).Verdict)
	}
}

// The author of a pod, or of an image, can't choose the rule by annotations.
func TestNobodyChoosesTheRuleByAnnotations(t *testing.T) {
	rules := rulesOf(t,
		RuleText{Namespace: new("team-a"), Container: new("web"), Allow: new("8000")},
		RuleText{Namespace: new("team-b"), Allow: new("9000")},
		RuleText{Container: new("db"), Allow: new("5432")},
		RuleText{Allow: new("none")},
	)
	id := strings.Repeat("00", 32)
	forged := map[string]map[string]string{
		"CRI-O's keys": {
			nameCRIO: "db", podCRIO: "x", namespaceCRIO: "team-b", typeCRIO: "container",
			idCRIO: id,
		},
		"containerd's keys": {
			nameContainerd: "db", podContainerd: "x", namespaceContainerd: "team-b",
			typeContainerd: "container",
		},
		"podman's keys": {stopSignal: "15", manager: "libpod"},
		"a sandbox":     {typeCRIO: "sandbox", typeContainerd: "sandbox"},
		"names only":    {namespaceCRIO: "team-b", namespaceContainerd: "team-b"},
	}
	forged["all keys"] = map[string]string{}
	for _, keys := range forged {
		for key, value := range keys {
			forged["all keys"][key] = value
		}
	}
	asks := map[string]string{AnnotationPort: "5432,8000,9000"}
	for says, keys := range forged {
		t.Run(says, func(t *testing.T) {
			for engine, c := range matrixContainers(t) {
				if engine == "nobody's" {
					continue // containerd writes its keys into each container of a pod
				}
				// What the engine itself writes comes last.
				c.Annotations = with(with(c.Annotations, keys), asks)
				_, err := FromState(c, "", rules)
				require.Error(t, err, engine)
				for _, port := range []string{"5432", "9000"} {
					c.Annotations[AnnotationPort] = port
					p, err := FromState(c, "", rules)
					require.Error(t, err, "%s: %s", engine, p)
				}
				require.True(t, Held(c, "", rules))
			}
			// An image, which podman before 4.6 copies the annotations of.
			c := fromPodman(keys)
			for _, port := range []string{"5432", "8000", "9000"} {
				c.Annotations[AnnotationPort] = port
				p, err := FromState(c, "", rules)
				require.Error(t, err, "%s", p)
				p, err = FromState(Container{Annotations: c.Annotations}, "", rules)
				require.Error(t, err, "%s, without an id", p)
			}
		})
	}
}

// Neither does anybody get out of being held.
func TestNobodyEscapesADefaultByAnnotations(t *testing.T) {
	rules := rulesOf(t,
		RuleText{Namespace: new("team-a"), Default: new("none")},
		RuleText{Default: new("unrestricted")},
	)
	for engine, c := range matrixContainers(t) {
		if engine == "nobody's" {
			continue
		}
		require.True(t, Held(c, "", rules), engine)
		for _, keys := range []map[string]string{
			{stopSignal: "15"}, {manager: "libpod"}, {nameCRIO: "x", nameContainerd: "x"},
			{namespaceCRIO: "x", namespaceContainerd: "x"}, {typeCRIO: "sandbox"},
		} {
			own := c
			own.Annotations = with(c.Annotations, keys)
			require.True(t, Held(own, "", rules), "%s: %v", engine, keys)
			p, err := FromState(own, "", rules)
			require.True(t, err != nil || !decided(p, 80), "%s: %v", engine, keys)
		}
	}
	// The sandbox of a pod is not held; one of podman can't be told from other containers.
	for _, engine := range []string{"crio-1.34.json", "containerd-2.3.json"} {
		c := recorded(t, filepath.Join("testdata/states", engine))
		c.Annotations = Relevant(c.Annotations)
		delete(c.Annotations, AnnotationPort)
		delete(c.Annotations, AnnotationPort+"/web")
		everybody := rulesOf(t, RuleText{Default: new("none"), Allow: new("none")})
		require.True(t, Held(c, "", everybody))
		for _, key := range []string{typeCRIO, typeContainerd} {
			if _, has := c.Annotations[key]; has {
				c.Annotations[key] = "sandbox"
			}
		}
		require.False(t, Held(c, "", everybody), engine)
		// Annotations that are too much for it may be for another container.
		c.Annotations[AnnotationPort] = "80"
		require.True(t, Held(c, "", everybody), engine)
		p, err := FromState(c, "", everybody)
		require.NoError(t, err)
		require.Equal(t, "80 and none", p.String())
	}
}

// Podman's own name of a container decides, by whatever name keys speak of the container.
func TestPodmansOwnNameDecides(t *testing.T) {
	rules := rulesOf(t,
		RuleText{Container: new("web-*"), Allow: new("8000")},
		RuleText{Default: new("unrestricted")})
	c := fromPodman(nil)
	c.Annotations = map[string]string{AnnotationPort + "/db": "1-65535"}
	require.True(t, rules.NeedName(c))
	who := Identity{Name: "db", PodmanName: "web-db"}
	_, err := FromState(c, WithName("", who), rules)
	require.ErrorContains(t, err, "1-65535 is more than allow")
	c.Annotations = map[string]string{AnnotationPort + "/db": "8000"}
	p, err := FromState(c, WithName("", who), rules)
	require.NoError(t, err)
	require.Equal(t, "8000 and 8000", p.String())

	for _, key := range []string{AnnotationName, AnnotationPodmanName} {
		_, err = FromState(of(map[string]string{AnnotationPort: "8000", key: "x"}), "", rules)
		require.ErrorContains(t, err, "is only for port-restricter itself")
	}
	for _, rules := range []Rules{
		{}, rulesOf(t, RuleText{Namespace: new("*"), Container: new("a"), Allow: new("1")}),
		rulesOf(t, RuleText{Allow: new("1")}),
	} {
		require.False(t, rules.NeedName(c))
	}
}

func TestARuleThatIsNeverUsedIsAnError(t *testing.T) {
	type r = RuleText
	for _, test := range []struct {
		earlier, later RuleText
		never          bool
	}{
		{r{}, r{}, true},
		{r{}, r{Pod: new("x")}, true},
		{r{Pod: new("x")}, r{}, false},
		{r{Pod: new("x")}, r{Pod: new("x")}, true},
		{r{Pod: new("x")}, r{Namespace: new("x")}, false},
		{r{Pod: new("x*")}, r{Pod: new("xy")}, true},
		{r{Pod: new("*")}, r{Pod: new("[a-c]?*"), Container: new("x")}, true},
		{r{Pod: new("x*")}, r{Pod: new("x-*")}, true},
		{r{Pod: new("x-*")}, r{Pod: new("x*")}, false},
		{r{Pod: new("x?*")}, r{Pod: new("x*")}, false},
		{r{Pod: new("*?x")}, r{Pod: new("a*bx")}, true},
		{r{Pod: new("a*b*c")}, r{Pod: new("a-b*b-c")}, true},
		{r{Pod: new("[a-c]x")}, r{Pod: new("bx")}, true},
		{r{Pod: new("[a-c]x")}, r{Pod: new("dx")}, false},
		{r{Pod: new("[a-c]")}, r{Pod: new("[a-c]")}, true},
		{r{Pod: new("?")}, r{Pod: new("[a-c]")}, true},
		{r{Pod: new(`\*`)}, r{Pod: new("a")}, false},
		{r{Pod: new(`\*`)}, r{Pod: new("*")}, false},
		{r{Pod: new("*")}, r{Pod: new(`\*`)}, true},
		{r{Pod: new(`\a`)}, r{Pod: new(`a`)}, true},
		{r{Namespace: new("a"), Pod: new("x")}, r{Namespace: new("*"), Pod: new("x")}, false},
	} {
		test.earlier.Audit, test.later.Audit = new(true), new(true)
		_, err := ParseRules(placed([]RuleText{test.earlier, test.later}))
		if test.never {
			require.ErrorContains(t, err, "file:2: rule 2 is never used: rule 1 (file:1) holds")
		} else {
			require.NoError(t, err, "%v", test)
		}
	}
}

// A glob covers another one only if it matches whatever the other one matches.
func FuzzCovers(f *testing.F) {
	f.Add("a*b", "a*c*b", "axcxb")
	f.Add("[^a]?", `\**`, "*x")
	f.Fuzz(func(t *testing.T, glob, later, name string) {
		if strings.ContainsAny(name+later, "/") { // no name has one
			return
		}
		for _, text := range []string{glob, later} {
			if _, err := parseConditions(RuleText{Pod: &text}); err != nil {
				return
			}
		}
		if covers(glob, later) && holds(later, name) {
			require.True(t, holds(glob, name), "%q covers %q, but not %q", glob, later, name)
		}
	})
}

func TestTooManyRulesAreAnError(t *testing.T) {
	var texts []RuleText
	for i := range maxRules + 1 {
		texts = append(texts, RuleText{Pod: new(fmt.Sprint(i)), Audit: new(true)})
	}
	_, err := ParseRules(placed(texts))
	require.ErrorContains(t, err, "file:1025: more than 1024 rules")
	_, err = ParseRules(placed([]RuleText{{Pod: new(strings.Repeat("*", 600)), Audit: new(true)}}))
	require.ErrorContains(t, err, "has more than 512 bytes")
}
