#!/bin/sh
# Writes what programs consist of: a bill of materials for each (CycloneDX), and the
# licences of all that is in them. The environment is that of their build.
# usage: bill.sh DIR-OF-PROGRAMS TO [PROGRAM...], by default those of the packages
set -eu
from=$1 to=$2
shift 2
[ $# -gt 0 ] || set -- port-restricter port-restricter-admin port-restricter-nri
arch=${GOARCH:-$(go env GOARCH)}

# The C libraries that a static program contains are not in Go's build information.
libseccomp=$(pkg-config --modversion libseccomp)
glibc=$(printf '#include <gnu/libc-version.h>\n__GLIBC__.__GLIBC_MINOR__\n' |
	${CC:-gcc} -E -P - | tail -n 1 | tr -d ' ')
for program; do
	"$PWD/.cache/tools/cyclonedx-gomod" bin -json -std -licenses -noserial -notimestamp \
		-version "$VERSION" "$from/$program" 2>/dev/null |
		jq --arg seccomp "$libseccomp" --arg glibc "$glibc" --arg arch "$arch" '
			def library($name; $version): {
				"bom-ref": "pkg:generic/\($name)@\($version)?arch=\($arch)",
				type: "library", name: $name, version: $version, scope: "required",
				purl: "pkg:generic/\($name)@\($version)?arch=\($arch)",
				licenses: [{license: {id: "LGPL-2.1-or-later"}}]};
			[library("libseccomp"; $seccomp), library("glibc"; $glibc)] as $c
			| .components += $c
			| .dependencies = ((.dependencies // []) + [$c[] | {ref: ."bom-ref"}])
			# where cyclonedx-gomod found the program
			| del(.metadata.component.properties)' >"$to/$program.cdx.json"
done

# The modules in the programs, and the licences that each has in its top directory.
(cd "$from" && go version -m "$@") |
	awk '$1 == "dep" { print $2 "@" $3 }' | LC_ALL=C sort -u >"$to/modules"
{
	cat <<-END
		port-restricter contains these Go modules, the Go runtime, libseccomp and the GNU C library.
		The last two are under the LGPL, version 2.1, at the end. The source of port-restricter, and
		so the way to link it with other versions of them, is at
		https://github.com/port-restricter/port-restricter.
	END
	while read -r module; do
		dir=$(go mod download -json "$module" | jq -r .Dir)
		found=
		for file in "$dir"/LICEN[CS]E* "$dir"/COPYING* "$dir"/NOTICE* "$dir"/License*; do
			[ -f "$file" ] || continue
			found=yes
			printf '\n==== %s: %s\n\n' "$module" "$(basename "$file")"
			cat "$file"
		done
		[ -n "$found" ] || { echo "bill.sh: $module has no licence in $dir" >&2; exit 1; }
	done <"$to/modules"
	printf '\n==== Go: LICENSE\n\n'
	cat "$(go env GOROOT)/LICENSE"
	printf '\n==== libseccomp, the GNU C library: LGPL-2.1\n\n'
	cat /usr/share/common-licenses/LGPL-2.1
} >"$to/third-party-licences"
