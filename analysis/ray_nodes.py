"""A search on a real Ray cluster of two nodes, one of which is killed in mid-run.

Three runs of one seed: serial; on a cluster of two nodes; on that cluster again, where a third node that
has work is killed without warning. All three must leave the same `front.csv`, byte for byte. Also measured:
what a piece of work weighs on the wire and how long it takes, which is what bounds the number of workers.

    python -m analysis.ray_nodes

Writes `figures/ray_nodes.json`. Needs Ray (`pip install 'symloss[ray]'`).
"""

from __future__ import annotations

import json
import pickle
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from symloss import discover, load_task
from symloss.runs import RunStore

FIGURE = Path(__file__).parent.parent / "figures" / "ray_nodes.json"
SEARCH: dict[str, Any] = {
    "population": 16,
    "generations": 4,
    "chunk": 2,
    "screening": {"sample": 4},
    "seed": 0,
}


def search(out: Path, executor: str) -> float:
    """Seconds of one run."""
    clock = time.perf_counter()
    result = discover(load_task("diabetes"), out=out, executor=executor, **SEARCH)
    assert result.status == "finished", result.status
    return time.perf_counter() - clock


def kill_when_at_work(cluster: Any, node: Any, run: Path, told: dict[str, Any]) -> None:
    """Removes a node, its processes killed, as soon as it works and the run has finished some pieces."""
    from ray.util.state import list_tasks

    while "pieces" not in told:
        time.sleep(0.2)
        if not (run / "run.sqlite").exists():
            continue
        with RunStore.open(run) as store:
            finished = len(store.all("work"))
        running = list_tasks(filters=[("state", "=", "RUNNING"), ("node_id", "=", node.node_id)])
        if finished >= 6 and running:
            told.update(pieces=finished, tasks=len(running))
    cluster.remove_node(node, allow_graceful=False)


def main() -> None:
    """Runs all three and writes what was measured."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    place = f"ray:{cluster.address}"
    with tempfile.TemporaryDirectory() as root:
        folders = {name: Path(root) / name for name in ("serial", "two nodes", "a node killed")}
        seconds = {"serial": search(folders["serial"], "serial")}
        ray.init(address=cluster.address, log_to_driver=False)
        nodes = sum(node["Alive"] for node in ray.nodes())
        seconds["two nodes"] = search(folders["two nodes"], place)
        third, told = cluster.add_node(num_cpus=1), dict[str, Any]()
        killer = threading.Thread(
            target=kill_when_at_work, args=(cluster, third, folders["a node killed"], told), daemon=True
        )
        killer.start()
        seconds["a node killed"] = search(folders["a node killed"], place)
        killer.join(30)
        alive = sum(node["Alive"] for node in ray.nodes())
        ray.shutdown()
        cluster.shutdown()
        fronts = {name: (folder / "front.csv").read_bytes() for name, folder in folders.items()}
        with RunStore.open(folders["serial"]) as store:
            work = [answer for _, answer in store.all("work")]
    pieces = sorted(sum(entry["seconds"] for entry in answer) for answer in work)
    summary = {
        "search": {"task": "diabetes", **SEARCH},
        "nodes": nodes,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "same_front_as_serial": {name: front == fronts["serial"] for name, front in fronts.items()},
        "killed_node": {"finished_pieces_then": told.get("pieces"), "its_running_tasks": told.get("tasks")},
        "nodes_alive_at_the_end": alive,
        "pieces": len(pieces),
        "seconds_a_piece": {"median": round(pieces[len(pieces) // 2], 3), "longest": round(pieces[-1], 3)},
        "bytes_a_task_shipped_once": {
            name: len(pickle.dumps(load_task(name))) for name in ("diabetes", "digits")
        },
        "bytes_an_answer": max(len(json.dumps(answer)) for answer in work),
    }
    FIGURE.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
