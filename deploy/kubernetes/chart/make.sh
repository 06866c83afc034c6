#!/bin/sh
# Makes the Helm chart of the manifests in deploy/kubernetes, and packs it.
# usage: make.sh VERSION IMAGE DIR
set -eu
version=$1 image=$2 dir=$3
here=$(dirname "$0")
tools=$here/../../../.cache/tools
chart=$dir/port-restricter
rm -rf "$dir"
mkdir -p "$chart/templates"
case $version in # a chart's version is a semantic one
v[0-9]*.*) number=${version#v} ;;
*) number=0.0.0-g$version ;;
esac
cat >"$chart/Chart.yaml" <<END
apiVersion: v2
name: port-restricter
description: Containers bind only the ports that they were given
type: application
version: "$number"
appVersion: "$version"
home: https://github.com/port-restricter/port-restricter
kubeVersion: ">=1.32.0-0"
END
sed "s|VALUE-IMAGE|$image|" "$here/values.yaml" >"$chart/values.yaml"
cp "$here/values.schema.json" "$chart/"
cp "$here/args.tpl" "$chart/templates/_args.tpl"
"$tools/kustomize" build "$here" | sed -f "$here/values.sed" |
	awk -v dir="$chart/templates" '
		function flush() {
			if (kind == "") return
			file = dir "/" tolower(kind) ".yaml"
			if (kind == "RuntimeClass")
				text = "{{- if .Values.engine }}\n" text "{{- end }}\n"
			printf "%s", text > file
			close(file)
			text = kind = ""
		}
		/^---$/ { flush(); next }
		/^kind: / { kind = $2 }
		{ text = text $0 "\n" }
		END { flush() }'
if grep -r VALUE- "$chart"; then
	echo "make.sh: these values have no place in values.sed" >&2
	exit 1
fi
"$tools/helm" package "$chart" --destination "$dir" >/dev/null
