#!/usr/bin/env bash
# Makes the book of the documentation, target/book/index.html, from the pages as they lie in the repository: they are copied with
# what they link to, so that every link between them, and to examples and rules, leads in the book where it leads on a forge.
# docs/SUMMARY.md has the chapters. A warning of mdBook's is a failure.
#
# usage: scripts/book.sh        what it was made from stays in target/book-stage; needs scripts/book-tools.sh mdbook to have run
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
stage=$root/target/book-stage
book=$root/target/book
log=$root/target/book.log

rm -rf "$stage" "$book"
mkdir -p "$stage/src"
cp "$root/docs/book.toml" "$root/docs/book.css" "$stage"
cp "$root"/*.md "$stage/src"
for dir in docs examples rules packaging kubernetes; do
    [[ ! -d $root/$dir ]] || cp -r "$root/$dir" "$stage/src"
done
# The summary's links are seen from docs/, as on a forge; in the book they are seen from the root.
sed -E 's#\]\(([^)]*\.md)\)#](docs/\1)#; s#\(docs/\.\./#(#' "$stage/src/docs/SUMMARY.md" >"$stage/src/SUMMARY.md"
rm "$stage/src/docs/SUMMARY.md" "$stage/src/docs/book.toml" "$stage/src/docs/book.css"

if ! "$root/target/tools/bin/mdbook" build --dest-dir "$book" "$stage" >"$log" 2>&1 || grep -Eq ' (WARN|ERROR) |^ *(WARN|ERROR)' "$log"; then
    cat "$log" >&2
    echo "book.sh: mdBook failed or warned, see above; its chapters are those of docs/SUMMARY.md" >&2
    exit 1
fi

# A link to a folder shows its files where it has no page of its own, as it does on a forge.
find "$book" -type d ! -path "$book" | while read -r dir; do
    [[ ! -e $dir/index.html ]] || continue
    name=${dir#"$book/"}
    {
        printf '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>%s</title></head><body>\n<h1>%s</h1>\n<ul>\n' "$name" "$name"
        for file in "$dir"/*; do
            file=${file##*/}
            printf '<li><a href="%s">%s</a></li>\n' "$file" "$file"
        done
        printf '</ul>\n</body></html>\n'
    } >"$dir/index.html"
done
