package io.asyncbatch.flink.worker.shared;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.Patience;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Many users, each a thread, and a resource whose start and close are in the hands of the test. */
@Timeout(60)
class SharedResourcesTest {

    private static final String NAME = "shared-resources-test-start";

    private final SharedResources<String, Resource> resources = new SharedResources<>();
    private final ExecutorService users = Executors.newCachedThreadPool();
    private final Queue<Resource> started = new ConcurrentLinkedQueue<>();
    private final AtomicInteger starts = new AtomicInteger();

    private final class Resource implements AutoCloseable {

        private final Runnable retire;
        private final CountDownLatch mayClose;
        private final CountDownLatch closing = new CountDownLatch(1);
        private final AtomicInteger closes = new AtomicInteger();

        private Resource(Runnable retire, CountDownLatch mayClose) {
            this.retire = retire;
            this.mayClose = mayClose;
            started.add(this);
        }

        @Override
        public void close() throws InterruptedException {
            closing.countDown();
            if (mayClose.getCount() > 0) {
                mayClose.await();
            }
            closes.incrementAndGet();
        }
    }

    @AfterEach
    void leavesNothing() {
        users.shutdownNow();
        assertThat(resources.size()).isZero();
        assertThat(started).allSatisfy(resource -> assertThat(resource.closes).hasValue(1));
        Patience.await().until(SharedResourcesTest::startThreads, List::isEmpty);
    }

    private static List<Thread> startThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals(NAME))
                .toList();
    }

    private static CountDownLatch open() {
        return new CountDownLatch(0);
    }

    private SharedResources<String, Resource>.Lease acquire(String key) throws Exception {
        return resources.acquire(
                key,
                NAME,
                retire -> {
                    starts.incrementAndGet();
                    return new Resource(retire, open());
                });
    }

    /** A user who waits for a resource in a thread of its own. */
    private final class User {

        private final FutureTask<Resource> got;
        private final Thread thread;
        private volatile SharedResources<String, Resource>.Lease lease;

        private User(SharedResources.Starter<Resource> starter) {
            got =
                    new FutureTask<>(
                            () -> {
                                lease = resources.acquire("a", NAME, starter);
                                return lease.get();
                            });
            thread = new Thread(got, "user");
            thread.start();
        }

        private User awaitsTheStart() {
            Patience.await()
                    .until(() -> lease != null && thread.getState() == Thread.State.WAITING);
            return this;
        }
    }

    @Test
    void isStartedOnceForAllWhoComeAtTheSameTime() throws Exception {
        int count = 16;
        CountDownLatch all = new CountDownLatch(count);
        List<Future<SharedResources<String, Resource>.Lease>> leases = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Callable<SharedResources<String, Resource>.Lease> user =
                    () -> {
                        all.countDown();
                        all.await();
                        SharedResources<String, Resource>.Lease lease = acquire("a");
                        lease.get();
                        return lease;
                    };
            leases.add(users.submit(user));
        }
        Resource resource = leases.get(0).get().get();
        for (Future<SharedResources<String, Resource>.Lease> lease : leases) {
            assertThat(lease.get().get()).isSameAs(resource);
        }
        assertThat(starts).hasValue(1);
        for (Future<SharedResources<String, Resource>.Lease> lease : leases) {
            assertThat(resource.closes).hasValue(0);
            lease.get().close();
            // Giving a share back twice gives back no other's.
            lease.get().close();
        }
        assertThat(resource.closes).hasValue(1);
    }

    @Test
    void isNotSharedBetweenKeys() throws Exception {
        try (SharedResources<String, Resource>.Lease a = acquire("a");
                SharedResources<String, Resource>.Lease b = acquire("b")) {
            assertThat(a.get()).isNotSameAs(b.get());
        }
    }

    @Test
    void isStartedAnewAfterItsLastUserLeft() throws Exception {
        Resource first;
        try (SharedResources<String, Resource>.Lease lease = acquire("a")) {
            first = lease.get();
        }
        try (SharedResources<String, Resource>.Lease lease = acquire("a")) {
            assertThat(lease.get()).isNotSameAs(first);
        }
    }

    @Test
    void aFailedStartFailsAllWhoWaitAndIsTriedAgain() throws Exception {
        CountDownLatch mayFail = new CountDownLatch(1);
        SharedResources.Starter<Resource> failing =
                retire -> {
                    mayFail.await();
                    throw new IOException("no interpreter");
                };
        List<User> waiting =
                List.of(new User(failing).awaitsTheStart(), new User(failing).awaitsTheStart());
        mayFail.countDown();
        for (User user : waiting) {
            assertThatThrownBy(user.got::get)
                    .cause()
                    .isInstanceOf(IOException.class)
                    .hasMessage("no interpreter");
        }
        // Also before those who failed have given their shares back.
        try (SharedResources<String, Resource>.Lease lease = acquire("a")) {
            lease.get();
            for (User user : waiting) {
                user.lease.close();
            }
            assertThat(lease.get().closes).hasValue(0);
        }
    }

    @Test
    void whoIsInterruptedWhileItStartsBreaksNothingForOthers() throws Exception {
        CountDownLatch mayStart = new CountDownLatch(1);
        SharedResources.Starter<Resource> slow =
                retire -> {
                    mayStart.await();
                    return new Resource(retire, open());
                };
        User first = new User(slow).awaitsTheStart();
        User second = new User(slow).awaitsTheStart();
        first.thread.interrupt();
        assertThatThrownBy(first.got::get).cause().isInstanceOf(InterruptedException.class);
        first.lease.close();
        mayStart.countDown();
        assertThat(second.got.get().closes).hasValue(0);
        second.lease.close();
    }

    @Test
    void theStartIsInterruptedWhenNobodyIsLeft() throws Exception {
        CompletableFuture<Void> interrupted = new CompletableFuture<>();
        User only =
                new User(
                                retire -> {
                                    try {
                                        new CountDownLatch(1).await();
                                    } catch (InterruptedException e) {
                                        interrupted.complete(null);
                                        throw e;
                                    }
                                    throw new AssertionError("was not interrupted");
                                })
                        .awaitsTheStart();
        only.thread.interrupt();
        assertThatThrownBy(only.got::get).isInstanceOf(ExecutionException.class);
        only.lease.close();
        assertThat(interrupted).isCompleted();
    }

    @Test
    void whatStartsInSpiteOfAnInterruptIsClosed() throws Exception {
        User only =
                new User(
                                retire -> {
                                    try {
                                        new CountDownLatch(1).await();
                                    } catch (InterruptedException e) {
                                        // Too late to turn back.
                                    }
                                    return new Resource(retire, open());
                                })
                        .awaitsTheStart();
        only.lease.close();
        assertThat(started).hasSize(1);
    }

    @Test
    void anInterruptedUserClosesItAllTheSame() throws Exception {
        CountDownLatch mayStart = new CountDownLatch(1);
        User only =
                new User(
                                retire -> {
                                    boolean waiting = true;
                                    while (waiting) {
                                        try {
                                            mayStart.await();
                                            waiting = false;
                                        } catch (InterruptedException e) {
                                            // Goes on.
                                        }
                                    }
                                    return new Resource(retire, open());
                                })
                        .awaitsTheStart();
        FutureTask<Boolean> closing =
                new FutureTask<>(
                        () -> {
                            Thread.currentThread().interrupt();
                            only.lease.close();
                            return Thread.interrupted();
                        });
        Thread closer = new Thread(closing);
        closer.start();
        Patience.await().until(() -> closer.getState() == Thread.State.WAITING);
        mayStart.countDown();
        assertThat(closing.get()).isTrue();
        assertThat(started).hasSize(1);
    }

    @Test
    void whoComesWhileItIsClosedWaitsAndGetsAnother() throws Exception {
        CountDownLatch mayClose = new CountDownLatch(1);
        User first = new User(retire -> new Resource(retire, mayClose));
        Resource old = first.got.get();
        Future<?> closed =
                users.submit(
                        () -> {
                            first.lease.close();
                            return null;
                        });
        old.closing.await();
        User second = new User(retire -> new Resource(retire, open()));
        Patience.await().until(() -> second.thread.getState() == Thread.State.WAITING);
        assertThat(second.lease).isNull();
        assertThat(started).hasSize(1);
        mayClose.countDown();
        closed.get();
        assertThat(second.got.get()).isNotSameAs(old);
        second.lease.close();
    }

    @Test
    void whoComesAfterItIsRetiredGetsAnother() throws Exception {
        SharedResources<String, Resource>.Lease first = acquire("a");
        SharedResources<String, Resource>.Lease second = acquire("a");
        Resource dead = first.get();
        dead.retire.run();
        SharedResources<String, Resource>.Lease third = acquire("a");
        SharedResources<String, Resource>.Lease fourth = acquire("a");
        assertThat(third.get()).isNotSameAs(dead).isSameAs(fourth.get());
        first.close();
        assertThat(dead.closes).hasValue(0);
        second.close();
        assertThat(dead.closes).hasValue(1);
        // The end of the dead one takes nothing from those who have the new one.
        assertThat(acquireAndClose()).isSameAs(third.get());
        third.close();
        fourth.close();
    }

    private Resource acquireAndClose() throws Exception {
        try (SharedResources<String, Resource>.Lease lease = acquire("a")) {
            return lease.get();
        }
    }
}
