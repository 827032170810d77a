# Sourced by what builds for release, after `cargo fetch`. A panic's place is told by its crate; the folder where its builder
# keeps it is nobody's business, and 80 KB of a binary.
if [[ -n ${CARGO_ENCODED_RUSTFLAGS:-} ]]; then
  echo "CARGO_ENCODED_RUSTFLAGS is set, which Cargo takes instead of our flags: use RUSTFLAGS" >&2
  exit 2
fi
for sources in "$(cd "${CARGO_HOME:-$HOME/.cargo}" && pwd)"/registry/src/*; do
  export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$sources=/"
done
