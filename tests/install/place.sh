# What the scripts here begin with:
#
#   source "$(dirname "$0")/place.sh"
#   enter "$place" "$place/readme"      # an empty folder, and nothing but the install tree in $place/plumb to be found
#   type_commands README.md             # each line of its ```sh blocks, in this folder; $typed counts them
#
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

only_the_install_tree() {  # PLACE
  export HOME=$1/home PATH=$1/plumb/bin:/usr/bin:/bin
  unset PLUMB_PLUGIN_PATH PLUMB_LIBTORCH PLUMB_PREFIX CMAKE_PREFIX_PATH
}

enter() {  # PLACE FOLDER
  rm -rf "$2"
  mkdir -p "$2"
  cd "$2"
  only_the_install_tree "$1"
}

type_commands() {  # MARKDOWN
  local command
  typed=0
  while read -r command; do
    [[ -n $command ]] || continue
    echo "\$ $command"
    # shellcheck disable=SC2086
    eval "$command" >log 2>&1 </dev/null || { tail -n 40 log >&2; fail "$command"; }
    typed=$((typed + 1))
  done < <(awk '/^```sh/ {inside = 1; next} /^```/ {inside = 0} inside' "$1")
}
