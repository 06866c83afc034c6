package admission

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/port-restricter/port-restricter/config"
)

const (
	tableNamespace = "port-restricter-declared"
	rangedRow      = "8000-8999/tcp,53,9000/sctp"
)

// A namespace may ask for what its row of the table has.
func TestANamespaceIsHeldToItsRange(t *testing.T) {
	install(t)
	for name, c := range map[string]struct {
		pod
		why string // of the refusal, or "" if there is none
	}{
		"within": {pod{containers: []string{"a 8000,8999,53,53/UDP", "b 9000/SCTP", "c"}},
			""},
		"many": {pod{containers: []string{"a " + many(8000, 1000, "TCP")}}, ""},
		"less": {pod{notes: notes{key + "/a": "none"}, containers: []string{"a 80"}}, ""},
		"below": {pod{containers: []string{"a 7999"}},
			"port-restricter.port/a=7999/tcp asks for more than the namespace ranged may have " +
				"(8000-8999/tcp,53,9000/sctp): declare other ports, or ask the administrator for " +
				"them"},
		"above": {pod{containers: []string{"a 8000,9000"}},
			"asks for more than the namespace"},
		"protocol": {pod{containers: []string{"a 8000/UDP"}},
			"asks for more than the namespace"},
		"init": {pod{containers: []string{"a"}, init: []string{"b 80"}},
			"port/b=80/tcp asks"},
		"a port of the node": {pod{containers: []string{"a 8999:8080,53:53/UDP"}}, ""},
		"another port of the node": {pod{containers: []string{"a 443:8080"}},
			"the hostPort 443 is more than the namespace ranged may have " +
				"(8000-8999/tcp,53,9000/sctp)"},
		"another protocol of the node": {
			pod{init: []string{"a 8080:53/UDP"}, containers: []string{"b"}},
			"the hostPort 8080 is more"},
		"the plain key": {pod{notes: notes{key: "80/tcp"}, containers: []string{"a 80"}},
			"port=80/tcp asks"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := as(t, "tenant").Pods("ranged").Create(t.Context(), c.build(), dryRun)
			if c.why == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.why)
			_, err = as(t, "tenant").Pods("enforced").Create(t.Context(), c.build(), dryRun)
			require.NoError(t, err, "a namespace without a row has no range")
		})
	}
}

// The range counts for a change, too, and the row _default for a namespace without one.
func TestARangeCountsForAChange(t *testing.T) {
	install(t)
	require.NoError(t, create(t, "enforced", pod{name: "web", containers: []string{"web 8080,80"}}))
	less := `{"metadata": {"annotations": {"` + key + `/web": "%s"}}}`
	require.NoError(t, patch(t, "enforced", fmt.Sprintf(less, "8080/tcp")))

	setRow(t, "_default", "8080")
	defer removeRow(t, "_default")
	require.Eventually(t, func() bool {
		return create(t, "enforced", pod{name: "other", containers: []string{"web 80"}}) != nil
	}, patience, patience/1000)
	require.ErrorContains(t, patch(t, "enforced", fmt.Sprintf(less, "80/tcp")), "may have (8080)")
	require.NoError(t, patch(t, "enforced", fmt.Sprintf(less, "none")))
}

// Rows stay when the policies are applied again, as for a new version, also if the administrator
// applied the table in the same way.
func TestRowsStayWhenThePoliciesAreAppliedAgain(t *testing.T) {
	install(t)
	table := filepath.Join(t.TempDir(), "ranges.yaml")
	write(table, `{"apiVersion": "v1", "kind": "ConfigMap", "data": {"team": "80"},
		"metadata": {"name": "ranges", "namespace": "`+tableNamespace+`"}}`)
	defer removeRow(t, "team")
	for _, way := range [][]string{nil, {"--server-side", "--force-conflicts"}} {
		kubectl(t, append([]string{"apply", "-f", table}, way...)...)
		kubectl(t, append([]string{"apply", "-k", "../../deploy/kubernetes/declared"}, way...)...)
		now, err := as(t, "admin").ConfigMaps(tableNamespace).Get(t.Context(), "ranges",
			meta.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, "80", now.Data["team"], "%v", way)
	}
}

// Without the table, no pod is created where there may be a range.
func TestWithoutTheTableNoPodIsCreated(t *testing.T) {
	install(t)
	kubectl(t, "-n", tableNamespace, "delete", "configmap", "ranges")
	t.Cleanup(func() { installed = false })
	p := pod{containers: []string{"web 8080"}}
	var err error
	require.Eventually(t, func() bool {
		_, err = as(t, "tenant").Pods("enforced").Create(t.Context(), p.build(), dryRun)
		return err != nil
	}, patience, patience/1000)
	require.ErrorContains(t, err, "no params found")
	_, err = as(t, "tenant").Pods("free").Create(t.Context(), p.build(), dryRun)
	require.NoError(t, err)
}

// A row that can't be read is not written. Nor does a tenant's ConfigMap of the name count.
func TestTheTableIsRead(t *testing.T) {
	install(t)
	for _, row := range []string{
		"", "8080/TCP", "8080, 8081", "http", "9-8", "65536", "08080", "0-5", "127.0.0.1:80",
		"none,1", "*",
		strings.Repeat("1,", 64) + "1",
	} {
		_, err := as(t, "tenant").ConfigMaps(tableNamespace).Update(t.Context(), &v1.ConfigMap{
			ObjectMeta: meta.ObjectMeta{Name: "ranges"}, Data: map[string]string{"team": row},
		}, meta.UpdateOptions{DryRun: dryRun.DryRun})
		require.ErrorContains(t, err, "the row team can't be read", "%q", row)
		_, err = as(t, "tenant").ConfigMaps("free").Create(t.Context(), &v1.ConfigMap{
			ObjectMeta: meta.ObjectMeta{Name: "ranges"}, Data: map[string]string{"team": row},
		}, dryRun)
		require.NoError(t, err)
	}
	for _, row := range []string{"none", "0", "1-65535", "80,8000-8999/tcp,0,53/udp"} {
		_, err := as(t, "admin").ConfigMaps(tableNamespace).Update(t.Context(), &v1.ConfigMap{
			ObjectMeta: meta.ObjectMeta{Name: "ranges"}, Data: map[string]string{"team": row},
		}, meta.UpdateOptions{DryRun: dryRun.DryRun})
		require.NoError(t, err, "%q", row)
	}
}

// The policies and the agent read lists alike: what one of them takes for too much, the other does.
func TestThePoliciesReadListsAsTheAgentDoes(t *testing.T) {
	install(t)
	random := rand.New(rand.NewPCG(1, 2)) // always the same lists
	list := func(elements ...string) string {
		var texts []string
		for range 1 + random.IntN(3) {
			texts = append(texts, elements[random.IntN(len(elements))])
		}
		return strings.Join(texts, ",")
	}
	rows := []string{"none", "1-65535", "1-65535/tcp", "0,1-100,101-65535"}
	for range 12 {
		rows = append(rows, list("5-7", "8/tcp", "8/udp", "9-12", "8", "10-20/tcp", "0", "13/sctp"))
	}
	tenant := as(t, "tenant")
	within := func(bound, asked string) bool {
		rules, err := config.ParseRules([]config.RuleText{{Allow: &bound}})
		require.NoError(t, err)
		_, err = config.FromState(config.Container{
			Known:       config.Identity{Namespace: "n", Pod: "p", Name: "web"},
			Annotations: notes{key: "none", key + "/web": asked},
		}, "", rules)
		if err != nil {
			require.ErrorContains(t, err, "is more than")
		}
		return err == nil
	}
	elements := []string{
		"5", "6-7/tcp", "8/tcp", "8/udp", "9-12/tcp", "13/sctp", "10/tcp", "*:8/tcp",
		"[::1]:10-11/tcp",
		"127.0.0.1:5-7", "0", "1-65535", "5-20/tcp", "8", "10-20/tcp", "1-65535/tcp",
	}
	for i, row := range rows {
		namespace := fmt.Sprintf("row-%d", i)
		kubectl(t, "create", "namespace", namespace)
		kubectl(t, "-n", namespace, "create", "serviceaccount", "default")
		kubectl(t, "label", "namespace", namespace, "range=alone")
		setRow(t, namespace, row)
	}
	kubectl(t, "apply", "-f", "testdata/range_alone.yaml")
	compare := func(namespace, bound string, p pod) {
		t.Helper()
		asked := list(elements...)
		p.notes = notes{key + "/web": asked}
		_, err := tenant.Pods(namespace).Create(t.Context(), p.build(), dryRun)
		require.Equal(t, within(bound, asked), err == nil, "%s within %s: %v", asked, bound, err)
	}
	for i, row := range rows {
		namespace := fmt.Sprintf("row-%d", i)
		require.Eventually(t, func() bool {
			_, err := tenant.Pods(namespace).Create(t.Context(), pod{
				notes: notes{key: "garbage"}, containers: []string{"web"},
			}.build(), dryRun)
			return err != nil
		}, patience, patience/1000, "the policy is not in force")
		for range 25 {
			compare(namespace, row, pod{containers: []string{"web"}})
		}
	}
	declared := []string{"5,6,7,8/UDP", "8,9,10,11,12", "10,12,13/SCTP", "8,8,10,10,11",
		"5/UDP,6,7"}
	for _, ports := range declared {
		bound := strings.ToLower(ports)
		var exact []string
		for port := range strings.SplitSeq(bound, ",") {
			if !strings.Contains(port, "/") {
				port += "/tcp"
			}
			exact = append(exact, port)
		}
		for range 60 {
			compare("enforced", strings.Join(exact, ","), pod{containers: []string{"web " + ports}})
		}
	}
}

func setRow(t *testing.T, namespace, row string) {
	t.Helper()
	patchTable(t, fmt.Sprintf(`{"data": {%q: %q}}`, namespace, row))
}

func removeRow(t *testing.T, namespace string) {
	t.Helper()
	patchTable(t, fmt.Sprintf(`{"data": {%q: null}}`, namespace))
}

func patchTable(t *testing.T, text string) {
	t.Helper()
	_, err := as(t, "admin").ConfigMaps(tableNamespace).Patch(t.Context(), "ranges",
		types.MergePatchType, []byte(text), meta.PatchOptions{})
	require.NoError(t, err)
}
