"""The hdfs and jmx probes and a real NameNode with datanodes: one stopped, safemode entered, the NameNode hung."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s}}
probes:
  - {{name: three, kind: hdfs, url: "{url}", min_live: 3, interval: 1s, timeout: 1s}}
  - {{name: one, kind: hdfs, url: "{url}", min_live: 1, interval: 1s, timeout: 1s}}
  - name: bean
    kind: jmx
    url: "{url}"
    interval: 1s
    timeout: 1s
    bean: "Hadoop:service=NameNode,name=FSNamesystemState"
    attributes: [BlocksTotal]
  - {{name: nobean, kind: jmx, url: "{url}", bean: "Hadoop:service=NameNode,name=Nonsense", attributes: [X], interval: 1s}}
"""


def test(folder):
    lib.need_level("full", "HDFS needs Java packages")
    hdfs = peer.load("hdfs").start(folder)
    agent = lib.Agent(folder, CONFIG.format(url=hdfs.url))

    def value(name, **labels):
        for line in agent.text("/metrics").splitlines():
            if line.startswith(name + "{") and all(f'{key}="{text}"' in line for key, text in labels.items()):
                return float(line.split()[-1])
        return None

    for probe in ("three", "one"):
        lib.eventually(lambda: value("probe_success", probe=probe) == 1, 20, f"the verdict of {probe}")
    lib.eventually(lambda: value("probe_success", probe="nobean") == 0, 10, "a missing bean to be a failure")
    assert "bean" in agent.command("probe", "nobean")[1]

    hdfs.command("write /data/x 1000")
    lib.eventually(lambda: value("probe_jmx_value", probe="bean", attribute="BlocksTotal") == 1, 20, "a block")

    hdfs.command("stop 0")
    lib.eventually(lambda: value("probe_success", probe="three") == 0, 20, "two of three to be too few")
    assert value("probe_success", probe="one") == 1
    code, output = agent.command("probe", "three")
    assert code == 1 and "2" in output and "3" in output, output
    hdfs.command("start 0")
    lib.eventually(lambda: value("probe_success", probe="three") == 1, 30, "the datanode to be back")

    hdfs.command("safemode on")
    lib.eventually(lambda: value("probe_hdfs_safemode", probe="one") == 1, 20, "safemode to show")
    hdfs.command("safemode off")
    lib.eventually(lambda: value("probe_hdfs_safemode", probe="one") == 0, 20, "safemode to end")

    hdfs.signal(signal.SIGSTOP)
    lib.eventually(lambda: value("probe_success", probe="one") == 0, 20, "a hung NameNode to count as down")
    code, output = agent.command("probe", "one")
    assert code == 1 and "timed out" in output, output
    hdfs.signal(signal.SIGCONT)
    lib.eventually(lambda: value("probe_success", probe="one") == 1, 20, "the NameNode to be back")


lib.main(test)
