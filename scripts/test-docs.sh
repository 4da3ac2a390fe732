#!/usr/bin/env bash
# Whether the documentation holds together: docs/reference/ is what the code gives, every link and anchor of every Markdown file that points
# into the repository leads somewhere, the book can be made without a warning, and no link or anchor of it is dead. Nothing is
# asked of other sites: of links to them the form is looked at.
#
# usage: scripts/test-docs.sh        needs scripts/book-tools.sh to have run
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools
failed=0

fail() {
    printf 'test-docs.sh: %s\n' "$*" >&2
    failed=1
}

cd "$root"
"${CARGO:-cargo}" run --quiet --locked -p reference -- docs --check || failed=1

mapfile -t pages < <(find . \( -path ./target -o -path ./.demo -o -path ./.git -o -name node_modules -o -path ./fuzz/target \) -prune -o -name '*.md' -print | sort)
remark() {
    "$tools/remark/node_modules/.bin/remark" --no-config --no-stdout --no-color --frail --quiet \
        --use "$tools/remark/node_modules/remark-validate-links/index.js=repository:false" "$@"
}
remark "${pages[@]}" || fail "a link of a Markdown file leads nowhere, see above"

if scripts/book.sh; then
    # It names the page that a link stands in, with its line.
    (cd target && tools/bin/hyperlink book --check-anchors --sources book-stage/src) || fail "a link of the book leads nowhere, see above; a page that docs/SUMMARY.md does not have is not in the book"
    others=$("$tools/bin/hyperlink" dump-external-links --base-path target/book 2>/dev/null | grep -Ev '^(Reading|Checking) ' | sort -u)
    grep -Ev '^(https?://[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?(/[^[:space:]]*)?|mailto:[^@[:space:]]+@[^@[:space:]]+)$' <<<"$others" >&2 &&
        fail "no addresses of other sites, see above"
else
    failed=1
fi
exit "$failed"
