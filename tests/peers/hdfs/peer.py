"""HDFS 3.5: a NameNode and datanodes in one JVM, from Hadoop's own minicluster (Maven)."""
import pathlib
import re
import shutil
import subprocess

import lib

HERE = pathlib.Path(__file__).resolve().parent


def get():
    """The class path, resolved once by Maven and then kept in the cache with the jars."""
    if not shutil.which("mvn") or not shutil.which("java"):
        raise lib.Skipped("no java or mvn (./dev test --full installs them)")
    with lib.cached("hdfs-3.5.0") as (folder, missing):
        if missing:
            shutil.copy(HERE / "pom.xml", folder)
            done = subprocess.run(["mvn", "-q", "-B", "-f", folder / "pom.xml", "dependency:copy-dependencies",
                                   f"-DoutputDirectory={folder}/jars"], capture_output=True, text=True)
            if done.returncode != 0:
                raise lib.Skipped(f"Maven could not fetch the minicluster: {done.stdout[-300:]}")
    return lib.CACHE / "hdfs-3.5.0/jars"


class Hdfs(lib.Process):
    def command(self, line, seconds=30):
        """Sends one line and waits for its answer."""
        answered = len(self._answers())
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        lib.eventually(lambda: len(self._answers()) > answered, seconds, f"the answer to '{line}'")
        answer = self._answers()[answered]
        if answer != "OK":
            raise AssertionError(f"{line}: {answer}")

    def _answers(self):
        return re.findall(r"^(?:OK|ERR .*)$", self.output(), re.M)


def start(folder, datanodes=3):
    jars = get()
    peer = Hdfs(["java", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
                 "-cp", f"{jars}/*", HERE / "MiniHdfs.java", folder / "hdfs", str(datanodes)],
                folder, "hdfs", stdin=subprocess.PIPE)
    peer.wait_ready(lambda: "READY" in peer.output(), 90)
    peer.url = re.search(r"READY (\S+)", peer.output()).group(1)
    return peer
