"""Outputs with a remote of their own, and outputs that are never pushed."""

from __future__ import annotations

from pathlib import Path

from support.job_bench import JobBench


def objects(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "files").rglob("*"))


def test_outputs_go_to_their_own_remotes_and_come_from_there(tmp_path: Path) -> None:
    stages = {
        "make": {
            "cmd": "cp in out && cp in here",
            "deps": ["in"],
            "outs": [{"out": {"remote": "vault"}}, {"here": {"push": False}}],
        },
        "use": {"cmd": "cp out used", "deps": ["out"], "outs": ["used"], "meta": {"swath": {"resources": {"cpus": 8}}}},
    }
    swath = "runners:\n  - {tags: [small], cpus: 4}\n  - {tags: [big], cpus: 16, price_per_hour: 1}\n"
    house = JobBench(tmp_path, {"in": "1", "dvc.yaml": {"stages": stages}, "swath.yaml": swath})
    vault = tmp_path / "vault"
    house.bench.command("dvc", "remote", "add", "-q", "vault", str(vault))
    house.bench.commit()
    pipeline = house.pipeline()
    assert pipeline.names == ["make", "use"]
    pipeline.run("make")
    assert (objects(vault), objects(house.far)) == (1, 0)
    assert not (house.far / "runs").exists()  # nobody elsewhere could restore it
    pipeline.run("use")
    assert pipeline.fragment("use").stages["use"].pulled_bytes == 1
    assert (objects(vault), objects(house.far)) == (1, 1)
