#!/usr/bin/env bash
# Opens an issue for what zoo watch found, or updates the one that is open: never a second one.
set -euo pipefail
title="zoo watch found differences"
run="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
body="The hub no longer serves exactly what the catalog records, or it could not be checked.

Last run: $run

To see each difference with the command that repairs it, run: zoo watch"
number=$(gh issue list --state open --search "in:title \"$title\"" --limit 1 --json number --jq '.[].number')
if test -n "$number"; then
  gh issue edit "$number" --body "$body"
else
  gh issue create --title "$title" --body "$body"
fi
