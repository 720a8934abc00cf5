# One run of the CronJob of an environment, in a folder that is empty: clones, and takes what step comes next with each application that is
# on its way. All that it needs to know is in variables. What the branch says is what decides: nothing here outlives a run.
set -eu
cd "$WORK"
export HOME="$WORK"
ssh="ssh -i $DEPLOY_KEY -o IdentitiesOnly=yes -o UserKnownHostsFile=$KNOWN_HOSTS -o StrictHostKeyChecking=yes"
export GIT_SSH_COMMAND="$ssh -o BatchMode=yes -o ConnectTimeout=20"
git clone --quiet --single-branch --branch "$BRANCH" -- "$REPOSITORY" fleet
cd fleet
# The tools of the image, the code of the branch: values that an older code renders would be stale at once.
ln -s "$TOOLS/.tools" .tools
PYTHONPATH="$PWD/scripts" exec "$TOOLS/.venv/bin/python" -c 'from bento_gitops.cli.main import main; main()' \
  canary step "$ENVIRONMENT" --push --branch "$BRANCH"
