"""The hdfs, jmx and http probes and a real NameNode with datanodes: one stopped, safemode entered, the NameNode hung,
stopped."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

# Three on a timer, for verdicts and metrics; the others run when asked.
CONFIG = """\
global: {{evaluation_interval: 1s}}
probes:
- {{name: three, kind: hdfs, url: "{url}", min_live: 3, interval: 1s, timeout: 1s}}
- {{name: one, kind: hdfs, url: "{url}", min_live: 1, interval: 1s, timeout: 1s}}
- {{name: blocks, kind: jmx, url: "{url}", bean: "Hadoop:service=NameNode,name=FSNamesystemState", attributes: [BlocksTotal], interval: 1s, timeout: 1s}}
- {{name: heap, kind: jmx, url: "{url}", bean: "java.lang:type=Memory", attributes: HeapMemoryUsage.used, min: 1, interval: 1h}}
- {{name: nobean, kind: jmx, url: "{url}", bean: "Hadoop:service=NameNode,name=Absent", attributes: [X], interval: 1h}}
- {{name: page, kind: http, url: "{url}/jmx?qry=java.lang:type=Memory", body_matches: HeapMemoryUsage, interval: 1h}}
- {{name: short, kind: hdfs, url: "{url}", timeout: 700ms, interval: 1h}}
"""


def test(folder):
    lib.need_level("full", "HDFS needs Java packages")
    hdfs = peer.load("hdfs").start(folder)
    agent = lib.Agent(folder, CONFIG.format(url=hdfs.url))

    lib.eventually(lambda: agent.verdict("three") == 1, 20, "three live datanodes")
    lib.eventually(lambda: agent.verdict("one") == 1, 10, "the verdict of the other")
    values = agent.probe("three")["values"]
    wanted = {"probe_hdfs_live_datanodes": 3, "probe_hdfs_active": 1, "probe_hdfs_safemode": 0,
              "probe_hdfs_missing_blocks": 0}
    assert values | wanted == values, values
    answer = agent.probe("page")
    assert answer["success"] and answer["values"]["probe_http_status_code"] == 200, answer
    assert agent.probe("heap")["success"]
    answer = agent.probe("nobean")
    assert not answer["success"] and "has no bean" in answer["message"], answer
    hdfs.command("write /data/x 1000")
    lib.eventually(lambda: agent.metric("probe_jmx_value", probe="blocks", attribute="BlocksTotal") == 1, 20, "a block")

    hdfs.command("stop 0")
    lib.eventually(lambda: agent.verdict("three") == 0, 30, "two of three to be too few")
    answer = agent.probe("three")
    assert not answer["success"] and "2 live datanodes, at least 3 wanted" in answer["message"], answer
    assert answer["values"]["probe_hdfs_dead_datanodes"] == 1, answer
    assert agent.probe("one")["success"]
    hdfs.command("start 0")
    lib.eventually(lambda: agent.verdict("three") == 1, 30, "the datanode to be back")

    for state, number in (("on", 1), ("off", 0)):
        hdfs.command(f"safemode {state}")
        assert agent.probe("one")["values"]["probe_hdfs_safemode"] == number, state
        lib.eventually(lambda n=number: agent.metric("probe_hdfs_safemode", probe="one") == n, 20, f"safemode {state}")

    hdfs.signal(signal.SIGSTOP)
    answer = agent.probe("short")
    assert "timed out after 700ms while waiting for the answer of" in answer["message"], answer
    lib.eventually(lambda: agent.verdict("one") == 0, 20, "a hung NameNode to count as down")
    hdfs.signal(signal.SIGCONT)
    lib.eventually(lambda: agent.verdict("one") == 1, 20, "the NameNode to be back")
    hdfs.stop()
    answer = agent.probe("one")
    assert not answer["success"] and "Connection refused" in answer["message"], answer


lib.main(test)
