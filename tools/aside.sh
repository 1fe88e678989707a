# For scripts of tools/ and tests/conformance/ that take packages of another Debian release beside
# this machine's: to be sourced. Nothing of the machine's apt changes.

# The mirror that this machine takes Debian from; it serves the other releases too.
debian_mirror() {
    local mirror
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(SITE) $(REPO_URI) $(CODENAME)' 2> /dev/null |
        awk '$1 == "Debian" && $3 !~ /security/ { print $3; exit }')
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' 2> /dev/null | grep -m1 '/debian/$' || true)
    [ -n "$mirror" ] || return 1
    echo "$mirror"
}

# Sets `aside`, the options that make apt-get use the folder $1 and the one source $2, such as
# "deb MIRROR sid main".
use_aside() {
    local work=$1 source=$2
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    : > "$work/status"
    echo "${source/ / [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] }" > "$work/sources.list"
    aside=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists"
        -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/archives" -o Dir::Cache::pkgcache=
        -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o APT::Install-Recommends=false)
}
