package io.asyncbatch.flink.batchapi.client;

import java.io.IOException;
import java.io.Serializable;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.Locale;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * Where a Batch API is, checked: HTTPS unless it is on this machine, without credentials, and no
 * address that tells a cloud machine its secrets. Immutable.
 */
@Internal
public final class Endpoint implements Serializable {

    private static final long serialVersionUID = 1L;

    private static final Set<String> METADATA_HOSTS =
            Set.of("metadata.google.internal", "metadata", "instance-data", "100.100.100.200");

    private final URI base;

    private Endpoint(URI base) {
        this.base = base;
    }

    /**
     * @param option what to call it in errors
     * @throws IllegalArgumentException if it is not what may be called
     */
    public static Endpoint of(String option, String address) {
        URI uri;
        try {
            uri = new URI(address);
        } catch (URISyntaxException e) {
            // Without the cause, whose message quotes the address, and with it a password.
            throw new IllegalArgumentException(option + " is not an address: " + e.getReason());
        }
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        if (!scheme.equals("https") && !scheme.equals("http")) {
            throw new IllegalArgumentException(
                    option + " must begin with https://, got scheme '" + scheme + "'");
        }
        if (uri.getRawUserInfo() != null) {
            throw new IllegalArgumentException(
                    option
                            + " must hold no credentials; see ml.batch.api-key.env for where they"
                            + " belong");
        }
        if (uri.getHost() == null || uri.getRawQuery() != null || uri.getRawFragment() != null) {
            throw new IllegalArgumentException(
                    option + " must be an address with a host, without a query or a fragment");
        }
        String host = uri.getHost().toLowerCase(Locale.ROOT);
        if (METADATA_HOSTS.contains(host)) {
            throw new IllegalArgumentException(
                    option + " must not be a metadata service, got host '" + host + "'");
        }
        if (isLiteral(host)) {
            requireHarmless(option, host, literal(host));
        }
        if (scheme.equals("http") && !isLoopback(host)) {
            throw new IllegalArgumentException(
                    option
                            + " must begin with https:// unless it is on this machine, got host '"
                            + host
                            + "'");
        }
        String text = uri.toString();
        return new Endpoint(URI.create(text.endsWith("/") ? text : text + "/"));
    }

    /**
     * Looks at what the host's name stands for now.
     *
     * @throws IOException if there is no such host or it is one that must not be called
     */
    void requireHarmlessAddresses(String option) throws IOException {
        InetAddress[] addresses;
        try {
            addresses = InetAddress.getAllByName(base.getHost());
        } catch (UnknownHostException e) {
            throw new IOException(option + ": no such host '" + base.getHost() + "'", e);
        }
        for (InetAddress address : addresses) {
            try {
                requireHarmless(option, base.getHost(), address);
            } catch (IllegalArgumentException e) {
                throw new IOException(e.getMessage(), e);
            }
        }
    }

    /**
     * @param path relative, of characters that a path may hold
     */
    URI at(String path) {
        return base.resolve(path);
    }

    /**
     * @param reference of the server's own choice
     * @throws BatchApiException if it leads to another server
     */
    URI ownAddress(String reference) throws BatchApiException {
        try {
            URI address = base.resolve(new URI(reference));
            if (base.getScheme().equalsIgnoreCase(address.getScheme())
                    && base.getRawAuthority().equalsIgnoreCase(address.getRawAuthority())) {
                return address;
            }
            throw BatchApiException.fatal(
                    "the Batch API at "
                            + this
                            + " refers to another server, '"
                            + address.getHost()
                            + "', which is not called");
        } catch (URISyntaxException e) {
            throw BatchApiException.rejected(
                    "the Batch API at " + this + " refers to what is no address");
        }
    }

    /** Scheme, host and port, as they may be logged. */
    @Override
    public String toString() {
        return base.getScheme() + "://" + base.getRawAuthority();
    }

    private static boolean isLoopback(String host) {
        return host.equals("localhost") || (isLiteral(host) && literal(host).isLoopbackAddress());
    }

    private static boolean isLiteral(String host) {
        return host.startsWith("[") || host.matches("[0-9.]+");
    }

    private static InetAddress literal(String host) {
        try {
            return InetAddress.getByName(host);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("not an internet address: '" + host + "'", e);
        }
    }

    private static void requireHarmless(String option, String host, InetAddress address) {
        byte[] bytes = address.getAddress();
        // fd00:ec2::254 and its neighbours: the metadata service of EC2 under IPv6.
        boolean metadata =
                bytes.length == 16
                        && bytes[0] == (byte) 0xfd
                        && bytes[1] == 0
                        && bytes[2] == 0x0e
                        && bytes[3] == (byte) 0xc2;
        if (metadata
                || address.isLinkLocalAddress()
                || address.isAnyLocalAddress()
                || address.isMulticastAddress()) {
            throw new IllegalArgumentException(
                    option
                            + " must not be a metadata service or another local address, got host '"
                            + host
                            + "'");
        }
    }
}
