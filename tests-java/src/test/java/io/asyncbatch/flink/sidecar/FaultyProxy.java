package io.asyncbatch.flink.sidecar;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Passes bytes between a client and a server as badly as a test wants. Threads of its own for each
 * connection; told what to do by the test's.
 */
final class FaultyProxy implements AutoCloseable {

    /** What happens when as many bytes of the server have passed as are allowed. */
    enum Ending {
        /** Nothing comes any more, and nobody says so. */
        SILENCE,
        /** The connection is closed in order. */
        CLOSE,
        /** The connection is reset. */
        RESET
    }

    private final ServerSocket listener;
    private final int serverPort;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final AtomicLong allowed = new AtomicLong(Long.MAX_VALUE);
    private volatile Ending ending = Ending.SILENCE;
    private volatile int largestWrite = Integer.MAX_VALUE;
    final AtomicInteger connections = new AtomicInteger();

    FaultyProxy(int serverPort) throws IOException {
        this.serverPort = serverPort;
        this.listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        start(this::accept);
    }

    String endpoint() {
        return "127.0.0.1:" + listener.getLocalPort();
    }

    /** Lets that many bytes of the server through from now on. */
    void allow(long bytes, Ending then) {
        ending = then;
        allowed.set(bytes);
    }

    /** Passes everything again, on new connections. */
    void heal() {
        allowed.set(Long.MAX_VALUE);
        reset();
    }

    /** Passes what the server says in pieces of this size. */
    void inPiecesOf(int bytes) {
        largestWrite = bytes;
    }

    /** Resets all connections. */
    void reset() {
        sockets.forEach(FaultyProxy::reset);
        sockets.clear();
    }

    private static void reset(Socket socket) {
        try {
            socket.setSoLinger(true, 0);
            socket.close();
        } catch (IOException alreadyClosed) {
            // What was wanted.
        }
    }

    private void accept() throws IOException {
        while (true) {
            Socket client = listener.accept();
            Socket server = new Socket(InetAddress.getLoopbackAddress(), serverPort);
            connections.incrementAndGet();
            client.setTcpNoDelay(true);
            sockets.add(client);
            sockets.add(server);
            start(
                    () -> {
                        client.getInputStream().transferTo(server.getOutputStream());
                        server.close();
                    });
            start(() -> pass(server, client));
        }
    }

    private void pass(Socket server, Socket client) throws IOException {
        InputStream input = server.getInputStream();
        OutputStream output = client.getOutputStream();
        byte[] buffer = new byte[64 * 1024];
        for (int read = input.read(buffer); read >= 0; read = input.read(buffer)) {
            for (int offset = 0; offset < read; ) {
                long left = allowed.get();
                int piece = (int) Math.min(Math.min(read - offset, largestWrite), left);
                if (left <= 0) {
                    end(server, client);
                    return;
                }
                output.write(buffer, offset, piece);
                allowed.addAndGet(left == Long.MAX_VALUE ? 0 : -piece);
                offset += piece;
            }
        }
        end(server, client);
    }

    private void end(Socket server, Socket client) throws IOException {
        switch (ending) {
            case SILENCE -> {}
            case CLOSE -> {
                client.close();
                server.close();
            }
            case RESET -> {
                reset(client);
                reset(server);
            }
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        reset();
    }

    private interface Task {
        void run() throws IOException;
    }

    private static void start(Task task) {
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                task.run();
                            } catch (IOException closed) {
                                // The test, or one of both sides, has closed it.
                            }
                        },
                        "faulty-proxy");
        thread.setDaemon(true);
        thread.start();
    }
}
