#!/bin/sh
# Lays out the files of the packages: TREE/all, TREE/doc, which RPM marks as documentation, and
# what has another place in each kind of package in TREE/deb, TREE/rpm and TREE/license. VERSION is
# the packages' version.
# usage: tree.sh DIR-OF-PROGRAMS PAGES TREE
set -eu
built=$1 pages=$2 tree=$3
all=$tree/all
share=$all/usr/share/port-restricter
doc=usr/share/doc/port-restricter
rm -rf "$tree"

install -D -m 755 -t "$all/usr/bin" \
	"$built/port-restricter" "$built/port-restricter-admin" "$built/port-restricter-nri"
install -D -m 755 -t "$all/usr/lib/port-restricter" deploy/packages/before-removal
install -D -m 644 -t "$all/usr/lib/systemd/system" deploy/systemd/*.service deploy/systemd/*.socket
install -D -m 644 -t "$all/usr/lib/systemd/user" deploy/systemd/user/*
for kind in sysusers tmpfiles; do
	install -D -m 644 "deploy/systemd/port-restricter.$kind" \
		"$all/usr/lib/$kind.d/port-restricter.conf"
done
install -D -m 644 deploy/systemd/port-restricter.preset \
	"$all/usr/lib/systemd/system-preset/80-port-restricter.preset"

# What an administrator copies from: each directory of deploy, and the hooks that `configure
# podman` writes. None of them is where an engine looks.
for directory in deploy/*/; do
	case $directory in deploy/systemd/ | deploy/packages/) continue ;; esac
	mkdir -p "$share"
	cp -r "$directory" "$share/"
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bin/port-restricter configure podman --root "$scratch" --binary /usr/bin/port-restricter >/dev/null
install -D -m 644 -t "$share/podman/hooks.d" "$scratch"/etc/port-restricter/podman/hooks.d/*.json

man=$tree/doc/usr/share/man
mkdir -p "$man/man1" "$man/man5" "$man/man7"
for page in "$pages"/man/*; do
	gzip -9nc "$page" >"$man/man${page##*.}/$(basename "$page").gz"
done
cp "$man/man1/port-restricter.1.gz" "$man/man1/port-restricter-admin.1.gz" # RPM takes no link here
completions=$pages/completions
install -D -m 644 "$completions/bash" "$all/usr/share/bash-completion/completions/port-restricter"
install -D -m 644 "$completions/fish" \
	"$all/usr/share/fish/vendor_completions.d/port-restricter.fish"
install -D -m 644 "$completions/zsh" "$tree/deb/usr/share/zsh/vendor-completions/_port-restricter"
install -D -m 644 "$completions/zsh" "$tree/rpm/usr/share/zsh/site-functions/_port-restricter"

install -D -m 644 -t "$share/sbom" "$built"/*.cdx.json
mkdir -p "$tree/doc/$doc"
cp -r README.md SECURITY.md docs "$tree/doc/$doc/"
rm -r "$tree/doc/$doc/docs/man"
gzip -9nc CHANGELOG.md >"$tree/doc/$doc/CHANGELOG.md.gz"

# Debian's rules.
install -D -m 644 deploy/packages/deb/lintian-overrides \
	"$tree/deb/usr/share/lintian/overrides/port-restricter"
mkdir -p "$tree/deb/$doc"
{
	cat deploy/packages/deb/copyright
	sed 's/^$/./; s/^/ /' LICENSE
} >"$tree/deb/$doc/copyright"
gzip -9nc "$built/third-party-licences" >"$tree/deb/$doc/third-party-licences.gz"
gzip -9nc >"$tree/deb/$doc/changelog.gz" <<-END
	port-restricter ($VERSION) stable; urgency=medium

	  * The changes are in CHANGELOG.md.gz.

	 -- The port-restricter authors <port-restricter@users.noreply.github.com>  $(date -uR -d "@$SOURCE_DATE_EPOCH")
END
install -D -m 644 -t "$tree/license/usr/share/licenses/port-restricter" \
	LICENSE "$built/third-party-licences"
# Directories and what cp made: modes of the umask and the checkout are not to be seen.
find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f -perm -100 -exec chmod 755 {} +
find "$tree" -type f ! -perm -100 -exec chmod 644 {} +
