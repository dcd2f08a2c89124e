package io.asyncbatch.flink.sidecar.channel;

import java.io.Serializable;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * Where a model server listens: a Unix socket, or a host and port. Immutable.
 *
 * @param path of the socket, or null for TCP
 * @param host name or address without brackets, or null for a Unix socket
 * @param port 1 to 65535, or 0 for a Unix socket
 */
@Internal
public record Endpoint(@Nullable String path, @Nullable String host, int port)
        implements Serializable {

    private static final String UNIX = "unix://";

    /** What fits into a {@code sockaddr_un} with its end mark. */
    private static final int LONGEST_PATH_BYTES = 107;

    private static final Pattern SCHEME = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]*)://?.*");
    private static final Pattern TCP =
            Pattern.compile("(?:\\[([0-9A-Fa-f:.]+)]|([A-Za-z0-9_.-]+)):([0-9]{1,5})");

    /**
     * Hosts that end in a number are addresses to the C library, in spellings that Java's differ
     * on.
     */
    private static final Pattern NUMBER =
            Pattern.compile("(?:.*\\.)?(?:0[xX][0-9A-Fa-f]*|[0-9]+)\\.?");

    private static final Pattern IPV4 =
            Pattern.compile("(?:(?:0|[1-9][0-9]{0,2})\\.){3}(?:0|[1-9][0-9]{0,2})");

    /** Where clouds keep the credentials of the machine. */
    private static final Set<String> METADATA_ADDRESSES =
            Set.of("169.254.169.254", "fd00:ec2:0:0:0:0:0:254");

    private static final Set<String> METADATA_NAMES =
            Set.of("metadata", "metadata.google.internal");

    private static final String ACCEPTED = "unix:///absolute/path or host:port";

    /**
     * @throws IllegalArgumentException if it is no endpoint; the message holds nothing that may be
     *     a credential
     */
    public static Endpoint parse(String endpoint) {
        if (endpoint.indexOf('@') >= 0) {
            throw new IllegalArgumentException(
                    "endpoint must be " + ACCEPTED + ", without a user or a password");
        }
        if (endpoint.startsWith(UNIX)) {
            return unix(endpoint.substring(UNIX.length()));
        }
        Matcher scheme = SCHEME.matcher(endpoint);
        if (scheme.matches()) {
            throw new IllegalArgumentException(
                    "endpoint must be " + ACCEPTED + ", got one that begins " + scheme.group(1));
        }
        Matcher tcp = TCP.matcher(endpoint);
        if (!tcp.matches()) {
            throw new IllegalArgumentException(
                    "endpoint must be " + ACCEPTED + ", got '" + endpoint + "'");
        }
        return tcp(
                tcp.group(1) == null ? tcp.group(2) : tcp.group(1), Integer.parseInt(tcp.group(3)));
    }

    private static Endpoint unix(String path) {
        if (!path.startsWith("/") || path.endsWith("/") || path.indexOf('\0') >= 0) {
            throw new IllegalArgumentException(
                    "endpoint of a Unix socket must be unix:///absolute/path, got unix://" + path);
        }
        int bytes = path.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > LONGEST_PATH_BYTES) {
            throw new IllegalArgumentException(
                    "the path of a Unix socket must have at most %d bytes, the endpoint's has %d: %s"
                            .formatted(LONGEST_PATH_BYTES, bytes, path));
        }
        return new Endpoint(path, null, 0);
    }

    private static Endpoint tcp(String host, int port) {
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException(
                    "the endpoint's port must be 1 to 65535, got " + port);
        }
        String name = host.toLowerCase(Locale.ROOT);
        if (METADATA_NAMES.contains(name) || METADATA_ADDRESSES.contains(addressOf(name))) {
            throw new IllegalArgumentException(
                    "endpoint must be a model server, got the metadata service of a cloud: "
                            + host);
        }
        return new Endpoint(null, host, port);
    }

    /** The usual spelling of an address; a name as it is. */
    private static String addressOf(String host) {
        InetAddress address = address(host);
        return address == null ? host : address.getHostAddress();
    }

    /** The address that a host is, without asking any name server; null if it is a name. */
    @Nullable
    private static InetAddress address(String host) {
        boolean v6 = host.indexOf(':') >= 0;
        if (!v6 && !NUMBER.matcher(host).matches()) {
            return null;
        }
        try {
            if (v6 || IPV4.matcher(host).matches()) {
                return InetAddress.getByName(host);
            }
        } catch (UnknownHostException refusedBelow) {
            // No address in this spelling either.
        }
        throw new IllegalArgumentException(
                "endpoint must be " + ACCEPTED + ", got the host '" + host + "'");
    }

    public boolean isUnix() {
        return path != null;
    }

    /** Whether what is sent there cannot leave the machine. */
    public boolean isLocal() {
        if (isUnix() || "localhost".equalsIgnoreCase(host)) {
            return true;
        }
        InetAddress address = address(host);
        return address != null && address.isLoopbackAddress();
    }

    /** As it is written in options. */
    @Override
    public String toString() {
        if (isUnix()) {
            return UNIX + path;
        }
        return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
    }
}
