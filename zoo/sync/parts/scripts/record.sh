#!/usr/bin/env bash
# Commits the record of a release on a branch of its own, and opens a pull request, unless one is open.
set -euo pipefail
name=$(basename "$RECIPE" .yaml)
branch="record-$name"
git config user.name "release job"
git config user.email "release@localhost"
git switch -q -C "$branch"
git add model_catalog.json site/evidence
if git diff --cached --quiet; then
  echo "The catalog already has this release."
  exit 0
fi
git commit -q -m "Record the release of $name"
gh auth setup-git
git push -q --force origin "$branch"
if test -z "$(gh pr list --head "$branch" --state open --limit 1 --json number --jq '.[].number')"; then
  gh pr create --head "$branch" --title "Record the release of $name" \
    --body "The release is published. Merge this to show it in the catalog and on the site."
fi
