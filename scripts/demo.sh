#!/bin/sh
# demo.sh FOLDER ZOO RECIPE...
# Releases the recipes one after the other in the zoo FOLDER with the program ZOO, and builds the site after each, so that
# the first release can be looked at while the next one is made. What is finished stays when a later one fails.
# Exit code: 0, or that of the command that failed; 130 after Ctrl-C.
set -u
folder=$1 zoo=$2
shift 2
released='' site='' code=0

has_site() {
    echo "  The site: $folder/build/site. To look at it, run this in another terminal, then open http://127.0.0.1:8000/"
    echo "    cd $folder && $zoo site serve"
}

finish() {
    trap - INT TERM
    echo
    if [ -n "$released" ]; then
        echo "Made in $folder, a separate zoo:"
        echo "  Released:$released"
        echo "    build/hub           the folder hub that they are published in"
        echo "    build/releases      the release folders: GGUF files, cards, evidence"
        echo "    model_catalog.json  the catalog"
        [ -z "$site" ] || has_site
    else
        echo "Nothing is released yet."
    fi
    if [ "$code" -ne 0 ]; then
        echo "The demo did not finish: $1 (exit code $code). The reason is above."
        echo "Finished work is kept. To continue, run the same command again: make demo"
        exit "$code"
    fi
    echo "Try next, in $folder:"
    for name in $released; do
        echo "  $zoo show $name"
    done
    echo "  $zoo new my-model && $zoo check && $zoo plan my-model"
    exit 0
}

# The commands stop by themselves on Ctrl-C, which they get too; here it is only noted.
trap 'code=130' INT TERM
cd "$folder" || exit 1
number=0
for recipe in "$@"; do
    number=$((number + 1))
    echo
    echo "[$number of $#] Releasing $recipe"
    "$zoo" release "$recipe"
    status=$?
    [ "$code" -ne 0 ] || code=$status
    [ "$code" -eq 0 ] || finish "$recipe is not released"
    released="$released $recipe"
    "$zoo" site build
    status=$?
    [ "$code" -ne 0 ] || code=$status
    [ "$code" -eq 0 ] || finish "the site is not built"
    site=yes
    if [ "$number" -lt $# ]; then
        echo
        echo "$recipe is released, and the site is built."
        has_site
    fi
done
finish ''
