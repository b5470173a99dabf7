"""bench/micro: parts alone, in one process by Google Benchmark, beside what disk and hash allow."""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from figures import Figure, at_most, number, share_of  # noqa: E402
from house import scratch  # noqa: E402

def runs(ms, told):
    """What the engine adds to the commands of a workflow. A run of `true` in bash is the least that a step can be."""
    bash, flood = ms["start_bash/real_time"], told["log_flood/real_time"]
    step = (ms["job_of_steps/51/real_time"] - ms["job_of_steps/1/real_time"]) / 50
    job = (ms["chain_of_jobs/11/real_time"] - ms["chain_of_jobs/1/real_time"]) / 10
    container = ms["container/native/real_time"]
    real = told.get("parse_and_plan_real/iterations:1")
    figures = [
        at_most("micro/step-overhead", step - bash, "ms", 2, note=f"a step of `true` takes {number(step)} ms, bash alone {number(bash)} ms"),
        at_most("micro/job-overhead", job - bash, "ms", 10, note="folder, container and end of a job that has to make its own container"),
        *([at_most("micro/parse-and-plan-real", real["median_us"] / 1000, "ms", 0.1, note=f"median of {real['files']:.0f} public workflows")] if real else []),
        at_most("micro/log-lines-lost", flood["lost"], "", 0, note=f"of four jobs that write {flood['lines'] / ms['log_flood/real_time']:.0f} lines a ms"),
    ]
    figures += [
        at_most("micro/watched-open", (ms["open_files/watched/real_time"] - ms["open_files/alone/real_time"]) / 2000 * 1000, "us", 20, note="what a watched open costs, of 2000 in a step; nothing when nobody watches"),
        at_most("micro/answered-job", ms["answered_jobs/real_time"] / 100, "ms", 5, note="a job whose facts still hold, of a hundred in a repository of 2000 files"),
    ]
    if "container/runc/real_time" in ms:
        figures.append(share_of("micro/container", container, "ms", ms["container/runc/real_time"], "runc", 0.3, note="`true` in a fresh container, from start to nothing left"))
    else:
        figures.append(Figure("micro/container", container, "ms", peer="not measured: no runc"))
    return figures


def measure(program, quick, say):
    root = scratch("micro")
    try:
        seconds = "0.2s" if quick else "1s"
        out = subprocess.run([program, f"--benchmark_min_time={seconds[:-1]}", "--benchmark_format=json"], capture_output=True, text=True, env={**os.environ, "SLIPWAY_BENCH_DIR": root})
        if out.returncode:
            raise RuntimeError(f"{program}: exit {out.returncode}\n{out.stderr[-2000:]}")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    unit = {"ns": 1e-6, "us": 1e-3, "ms": 1.0}
    told = {b["name"]: b for b in json.loads(out.stdout)["benchmarks"] if not b.get("error_occurred")}
    ms = {name: b["real_time"] * unit[b["time_unit"]] for name, b in told.items()}
    sync = ms["append_and_sync/real_time"]
    one, many = ms["create_object/real_time/threads:1"], ms["create_object/real_time/threads:64"]
    # Google Benchmark gives wall time over all threads' iterations.
    say(f"micro: a durable write {number(sync)} ms, an object {number(one)} ms alone, {number(many)} ms with 64 at once")
    return runs(ms, told) + [
        share_of("micro/create-one", one, "ms", sync, "append + fdatasync", 4, note="acknowledged when it is on disk"),
        share_of("micro/create-of-64", many, "ms", sync, "append + fdatasync", 1, note="64 writers at once share commits"),
        at_most("micro/read", ms["read_object"], "ms", 0.005),
        share_of("micro/put-blob", ms["put_blob/real_time"], "ms", ms["hash_and_write/real_time"], "sha256 + write + fdatasync", 1.5, note="16 MB"),
        at_most("micro/parse-and-plan", ms["parse_and_plan"], "ms", 0.2, note="a workflow of three jobs and a matrix"),
    ]
