import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Waits, or, with an address, asks the virtual machine there how many processors it has. */
public class Managed {
    public static void main(String[] args) throws Exception {
        if (args.length == 0) {
            Thread.sleep(Long.MAX_VALUE);
        }
        var url = new JMXServiceURL("service:jmx:rmi:///jndi/rmi://" + args[0] + "/jmxrmi");
        try (var connector = JMXConnectorFactory.connect(url)) {
            System.out.println("default domain: "
                    + connector.getMBeanServerConnection().getDefaultDomain());
        }
    }
}
