import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNodeAdapter;

/**
 * A NameNode and some datanodes in one JVM, driven by lines on standard input, each answered by one line:
 * stop N, start N, safemode on|off, write PATH BYTES, quit. The end of input ends it. Arguments: folder, datanodes.
 */
public class MiniHdfs {
  private final MiniDFSCluster cluster;
  private final Map<Integer, MiniDFSCluster.DataNodeProperties> stopped = new HashMap<>();
  private final String[] addresses;

  private MiniHdfs(String folder, int datanodes) throws Exception {
    Configuration conf = new Configuration();
    conf.set("hdfs.minidfs.basedir", folder);
    // A datanode is dead after 2 * recheck + 10 * heartbeat, stale after the interval below.
    conf.setInt("dfs.heartbeat.interval", 1);
    conf.setInt("dfs.namenode.heartbeat.recheck-interval", 250);
    conf.setInt("dfs.namenode.stale.datanode.interval", 3000);
    conf.setInt("dfs.namenode.safemode.min.datanodes", 0);
    cluster = new MiniDFSCluster.Builder(conf).numDataNodes(datanodes).build();
    cluster.waitActive();
    addresses = new String[datanodes];
    for (int i = 0; i < datanodes; i++) {
      DataNode node = cluster.getDataNodes().get(i);
      addresses[i] = node.getXferAddress().getAddress().getHostAddress() + ":" + node.getXferPort();
    }
  }

  private void run(String[] words) throws Exception {
    switch (words[0]) {
      case "stop":
        stop(Integer.parseInt(words[1]));
        break;
      case "start":
        cluster.restartDataNode(stopped.remove(Integer.parseInt(words[1])), true);
        break;
      case "safemode":
        if (words[1].equals("on")) {
          NameNodeAdapter.enterSafeMode(cluster.getNameNode(), false);
        } else {
          NameNodeAdapter.leaveSafeMode(cluster.getNameNode());
        }
        break;
      case "write":
        try (var out = cluster.getFileSystem().create(new Path(words[1]))) {
          out.write(new byte[Integer.parseInt(words[2])]);
        }
        break;
      default:
        throw new IllegalArgumentException("unknown command " + words[0]);
    }
  }

  /** Stops a datanode and ages its last heartbeat, so that the NameNode's next recheck finds it dead. */
  private void stop(int index) throws Exception {
    stopped.put(index, cluster.stopDataNode(addresses[index]));
    String[] address = addresses[index].split(":");
    var descriptor = cluster.getNamesystem().getBlockManager().getDatanodeManager()
        .getDatanodeByXferAddr(address[0], Integer.parseInt(address[1]));
    descriptor.setLastUpdate(0);
    descriptor.setLastUpdateMonotonic(Long.MIN_VALUE / 2);
  }

  public static void main(String[] arguments) throws Exception {
    MiniHdfs hdfs = new MiniHdfs(arguments[0], Integer.parseInt(arguments[1]));
    System.out.println("READY http://" + hdfs.cluster.getNameNode().getHttpAddress().getHostString() + ":"
        + hdfs.cluster.getNameNode().getHttpAddress().getPort());
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null && !line.equals("quit"); ) {
      try {
        hdfs.run(line.trim().split("\\s+"));
        System.out.println("OK");
      } catch (Exception error) {
        System.out.println("ERR " + error);
      }
    }
    hdfs.cluster.shutdown(true);
    System.exit(0);
  }
}
