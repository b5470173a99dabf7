"""Runs on the page: a job is let into its environment, a manual one started, a workflow run by its form, what failed run
again, and the strips of its tests."""
import json
import sys

from person import Person  # first: it knows where the harness is
from harness import HOME, House, check, get_path, main, phase

sys.modules["slipway"].GROUPS.update({kind: ("/apis/slipway.dev/v1", kind.lower() + "s") for kind in ("Environment", "Approval", "Workflow")})

DEPLOY = """name: Deploy
on:
  push:
  schedule: [{cron: "30 4 * * 1-5", timezone: Europe/Berlin}]
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [patch, minor], default: patch, description: How much is new}
      count: {type: number, required: true, description: How many}
      dry: {type: boolean, default: true}
jobs:
  build:
    runs-on: x
    steps: [{run: echo built}]
  test:
    needs: build
    runs-on: x
    steps:
      - run: |
          if [ $GITHUB_RUN_ATTEMPT = 1 ] && [ $GITHUB_EVENT_NAME = workflow_dispatch ]; then inner='<failure message="no <b>luck</b>"/>'; fi
          echo "<testsuite name='net'><testcase name='connects' time='0.8'>$inner</testcase><testcase name='adds' time='0.01'/><testcase name='later'><skipped/></testcase></testsuite>" > r.xml
      - uses: slipway/test-report@v1
        with: {path: r.xml}
  deploy:
    needs: test
    if: github.event_name == 'push'
    runs-on: x
    environment: {name: production, url: "https://shop.example/"}
    steps: [{run: "echo level=${{ inputs.level }}"}]
"""
GITLAB = "stages: [build, deploy]\nbuild: {stage: build, script: [echo built]}\ndeploy: {stage: deploy, when: manual, script: [echo deployed by hand]}\n"


def test_runs(house: House):
    house.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "slipway.dev/v1", "kind": "Environment", "metadata": {"name": "shop.production", "namespace": HOME},
                                                       "spec": {"repository": "shop", "name": "production", "reviewers": {"users": ["admin"], "groups": ["ops"]}}}))
    shop = house.git("shop")
    shop.write(".github/workflows/deploy.yml", DEPLOY)
    commit = shop.commit("Prices with <i>tax</i>")
    shop.push("HEAD:main")
    run = house.wait("WorkflowRun", lambda rs: next((r for r in rs if phase(r) == "Waiting"), None), "the run waits")
    with Person(house, "runs.mjs") as ada:
        ada.tell(run["metadata"]["name"])
        ada.until("approved")
        house.wait("WorkflowRun", lambda rs: next((r for r in rs if r["metadata"]["name"] == run["metadata"]["name"] and phase(r) == "Succeeded"), None), "the deployment")
        check(house.list("Approval")[0]["spec"]["by"] == "admin" and house.list("Approval")[0]["spec"]["comment"] == "go <b>on</b>", "whose word it was")
        ada.tell("deployed")
        ada.until("dispatched")
        made = house.wait("WorkflowRun", lambda rs: next((r for r in rs if get_path(r, "spec", "change", "event") == "workflow_dispatch" and phase(r) == "Failed"), None), "the run by the form")
        check(made["spec"]["change"]["inputs"] == {"count": "3", "level": "minor", "dry": "false"} and made["spec"]["change"]["after"] == commit, made["spec"]["change"])
        ada.tell("failed")
        ada.until("again")
        lab = house.git("lab")
        lab.write(".gitlab-ci.yml", GITLAB)
        lab.commit("By hand")
        lab.push("HEAD:main")
        manual = house.wait("WorkflowRun", lambda rs: next((r for r in rs if r["spec"]["change"]["repository"] == "lab" and phase(r) == "Succeeded"), None), "the pipeline")
        ada.tell(manual["metadata"]["name"])


if __name__ == "__main__":
    main(globals())
