"""Workers before TensorFlow begins: what `TF_CONFIG` says, the wait for each other, and the launcher."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from tfgantl.cluster import Cluster, wait_limit
from tfgantl.errors import ConfigError, WorkerError
from tfgantl.launch import free_ports, launch, main, resuming
from tfgantl.slurm import PORT, config_of_step

TWO = {"worker": ["a:1", "b:2"]}


def of(config):
    return Cluster.from_environment({"TF_CONFIG": config if isinstance(config, str) else json.dumps(config)})


def task(index=0, kind="worker", **cluster):
    return {"cluster": cluster or TWO, "task": {"type": kind, "index": index}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "must be JSON: .*Received: {"),
        ("[" * 100_000, "must be JSON"),
        ([], "must be {.*Received: "),
        ({"task": {"type": "worker", "index": 0}}, "must be {.*cluster"),
        (task(ps=["p:1"], worker=["a:1", "b:1"]), "a chief and workers only. Received: ps"),
        (task(chief=["a:1", "b:1"], worker=["c:1"]), "at most one chief. Received: a:1, b:1"),
        (task(worker=["a:1", "a:1"]), "must differ. Received: a:1 twice"),
        (task(worker="a:1"), "must list addresses HOST:PORT for each worker. Received: a:1"),
        (task(worker=["a:1", "b"]), "HOST:PORT for each worker. Received: b"),
        (task(worker=["a:1", "b:99999"]), "Received: b:99999"),
        ({"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}, "must name at least one worker"),
        (task(2), "must be one of worker 0, worker 1. Received: worker 2"),
        (task(0, "evaluator"), "must be one of worker 0, worker 1. Received: evaluator 0"),
        (task("first"), "index of the task .*must be a whole number. Received: first"),
        ({"cluster": TWO}, "which task this process is"),
    ],
)
def test_configurations_that_tensorflow_would_not_take_are_told_in_one_line(config, message):
    with pytest.raises(ConfigError, match=message) as error:
        of(config)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_the_chief_comes_first():
    cluster = of(task(1, chief=["c:1"], worker=["a:1", "b:1"]))
    assert cluster == Cluster(("c:1", "a:1", "b:1"), ("chief 0", "worker 0", "worker 1"), 2)
    assert of(task("1")).rank == 1
    assert of(task(worker=["a:1"])) is None and Cluster.from_environment({}) is None and of(" ") is None


def local(rank, ports):
    addresses = tuple(f"127.0.0.1:{port}" for port in ports)
    return Cluster(addresses, tuple(f"worker {i}" for i in range(len(ports))), rank)


def test_workers_meet(monkeypatch):
    monkeypatch.setenv("TFGANTL_WORKER_WAIT", "20")
    ports = free_ports(3)
    threads = [threading.Thread(target=local(rank, ports).meet) for rank in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.2)
    # Whoever has met the others starts a server on its port, where the last ones still look for it.
    servers = []
    while any(thread.is_alive() for thread in threads):
        for port, thread in zip(ports, threads, strict=True):
            if not thread.is_alive() and port not in (s.getsockname()[1] for s in servers):
                servers.append(socket.create_server(("127.0.0.1", port)))
        time.sleep(0.01)
    for server in servers:
        server.close()


def test_a_worker_that_never_comes_is_named(monkeypatch):
    monkeypatch.setenv("TFGANTL_WORKER_WAIT", "0.3")
    ports = free_ports(2)
    with pytest.raises(WorkerError, match=rf"within 0.3 s .*no answer from worker 1 at 127.0.0.1:{ports[1]}"):
        local(0, ports).meet()


def test_two_processes_that_are_the_same_task_are_told(monkeypatch):
    with socket.create_server(("", 0)) as taken:
        ports = [taken.getsockname()[1], *free_ports(1)]
        with pytest.raises(ConfigError, match=rf"worker 0, 127.0.0.1:{ports[0]}, must be free: is another process the"):
            local(0, ports).meet()
    for text in ("soon", "0", "inf", "-1"):
        monkeypatch.setenv("TFGANTL_WORKER_WAIT", text)
        with pytest.raises(ConfigError, match=f"seconds above 0. Received: {text}"):
            wait_limit()


RANK = "import json, os, sys, time; rank = json.loads(os.environ['TF_CONFIG'])['task']['index']; "


def test_lines_of_workers_have_their_number(capfdbinary, monkeypatch):
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo")])
    assert launch(["-c", RANK + "print('first\\rlast'); print('oh', file=sys.stderr)"], workers=2) == 0
    out, error = capfdbinary.readouterr()
    assert sorted(out.splitlines()) == [b"[0] last", b"[1] last"]
    assert sorted(error.splitlines()) == [b"[0] oh", b"[1] oh"]


def test_all_end_when_one_fails():
    began = time.monotonic()
    assert launch(["-c", RANK + "sys.exit(5) if rank else time.sleep(60)"], workers=2) == 5
    assert launch(["-c", RANK + "os.kill(os.getpid(), 9) if rank else time.sleep(60)"], workers=2) == 128 + 9
    assert time.monotonic() - began < 50  # the others would have slept for 60 seconds each time


def test_workers_that_fail_are_started_again_and_go_on_with_their_run(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("tfgantl.launch.PAUSE", 0.1)
    run = tmp_path / "run"
    code = RANK + (
        "from pathlib import Path; run = Path(sys.argv[2]); print(' '.join(sys.argv[1:]));"
        "time.sleep(0.3) if rank else (run.mkdir(exist_ok=True), (run / 'config.yaml').write_text(''));"
        "sys.exit(0 if sys.argv[1] == '--resume' else 9)"
    )
    assert launch(["-c", code, "--run_dir", str(run)], workers=2, restarts=2) == 0
    out, error = capfd.readouterr()
    assert f"[0] --run_dir {run}" in out and f"[1] --resume {run}" in out
    assert "a worker has ended with 9; restart 1 of 2 in 0.1 s" in error
    # What a restart cannot mend is not started again.
    assert launch(["-c", "import sys; sys.exit(2)"], workers=1, restarts=5) == 2
    assert launch(["-c", "import sys; sys.exit(9)"], workers=1, restarts=1) == 9


def test_runs_that_have_begun_are_resumed(tmp_path, monkeypatch):
    command = ["-m", "tfgantl.pipelines.adapt", "--steps", "9", f"--run-dir={tmp_path}", "--json"]
    assert resuming(command) == command
    (tmp_path / "config.yaml").touch()
    assert resuming(command) == ["-m", "tfgantl.pipelines.adapt", "--resume", str(tmp_path), "--json"]
    assert resuming(["-m", "tfgantl", "adapt", "--run_dir", str(tmp_path)])[:3] == ["-m", "tfgantl", "adapt"]
    for verb in (["-m", "tfgantl", "edit", "move"], ["-m", "tfgantl.pipelines.edit.move"], ["tfgantl", "describe"]):
        assert resuming([*verb, "one.png", "-o", str(tmp_path)]) == [*verb, "--resume", str(tmp_path)]
    others = (["-u", "-m", "tfgantl", "adapt"], ["-X", "dev", "-m", "tfgantl.pipelines.adapt"], ["train.py", "3"], [])
    for start in others:
        assert resuming([*start, "--run_dir", str(tmp_path)]) == [*start, "--resume", str(tmp_path)]
    monkeypatch.setenv("HOME", str(tmp_path))  # no shell reads the ~ behind an equals sign
    assert resuming(["-m", "tfgantl", "adapt", "--run_dir=~"])[3:] == ["--resume", "~"]


def test_signals_reach_all_workers(tmp_path):
    code = RANK + (
        "import signal; signal.signal(15, lambda *_: (print('saved', flush=True), os._exit(7)));"
        "print('ready', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-m", "tfgantl.launch", "--workers", "2", "--restarts", "3", "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TF_CONFIG": ""})
    assert sorted(process.stdout.readline() for _ in range(2)) == ["[0] ready\n", "[1] ready\n"]
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert sorted(out.splitlines()) == ["[0] saved", "[1] saved"] and process.returncode == 7


def test_mistakes_of_a_launch_are_told_in_one_line(capfd, monkeypatch):
    assert main(["--workers", "0", "-m", "x"]) == 2
    assert main(["--workers", "5000", "-m", "x"]) == 2
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert main(["-m", "x"]) == 2
    error = capfd.readouterr().err
    assert error.count("`workers` must be at least 1 and at most 128") == 2 and "`TF_CONFIG` must not be set" in error
    assert "Traceback" not in error
    with pytest.raises(SystemExit) as left:
        main(["--workers", "2"])
    assert left.value.code == 2 and "a module to run" in capfd.readouterr().err


def test_tasks_of_slurm_know_their_address(monkeypatch):
    """Nodes come in the order of the alphabet, and tasks in that of Slurm: task 1 is on the first node here."""
    step = {
        "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_NODELIST": "n[9-10]",
        "SLURM_STEP_TASKS_PER_NODE": "1,2", "SLURMD_NODENAME": "n10", "SLURM_LOCALID": "1",
    }  # fmt: skip
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    config = config_of_step()
    assert config["cluster"]["worker"] == [f"n10:{PORT}", f"n10:{PORT + 1}", f"n9:{PORT}"]
    assert config["task"] == {"type": "worker", "index": 1}
    become = []
    monkeypatch.setattr(os, "execve", lambda *given: become.append(given))
    monkeypatch.setattr("tfgantl.launch.launch", lambda *_: 0)
    assert main(["--slurm", "-m", "tfgantl.pipelines.adapt", "--steps", "9"]) == 0
    ((_, command, environment),) = become
    assert command[1:] == ["-m", "tfgantl.pipelines.adapt", "--steps", "9"]
    assert Cluster.from_environment(environment).rank == 1
    monkeypatch.delenv("SLURM_PROCID")
    with pytest.raises(ConfigError, match="a task that srun has started. Received: RuntimeError"):
        config_of_step()


def test_the_job_of_the_page_fits_the_schema_of_kubernetes():
    """The golden schema has no jobs, but services, and the templates of pods, which are all that a job adds to."""
    jsonschema = pytest.importorskip("jsonschema", reason="pip install 'tfgantl[dev]'")
    page = (Path(__file__).parents[1] / "docs" / "scale.md").read_text()
    service, job = yaml.safe_load_all(re.search(r"```yaml\n(apiVersion.*?)```", page, re.DOTALL)[1])
    schema = json.loads((Path(__file__).parent / "golden" / "kubernetes.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(service)
    template = {"$ref": "#/$defs/io.k8s.api.core.v1.PodTemplateSpec", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(template).validate(job["spec"]["template"])
    assert set(job["spec"]) == {"completions", "parallelism", "completionMode", "backoffLimit", "template"}
    pod, name = job["spec"]["template"], job["metadata"]["name"]
    assert service["spec"]["selector"] == pod["metadata"]["labels"] and service["spec"]["clusterIP"] == "None"
    assert pod["spec"]["subdomain"] == service["metadata"]["name"]
    (container,) = pod["spec"]["containers"]
    script = container["args"][0].replace("exec tfgantl", "echo tfgantl").rstrip() + ' && echo "$TF_CONFIG"'
    for index in range(job["spec"]["completions"]):
        shell = {"PATH": os.environ["PATH"], "JOB_COMPLETION_INDEX": str(index)}
        lines = subprocess.run(["sh", "-c", script], env=shell, capture_output=True, text=True).stdout.splitlines()
        assert lines[0].startswith("tfgantl adapt --target Folder") and "--run_dir" in lines[0]
        cluster = of(lines[1])
        port = container["ports"][0]["containerPort"]
        assert cluster.rank == index
        assert cluster.addresses[index] == f"{name}-{index}.{pod['spec']['subdomain']}:{port}"
