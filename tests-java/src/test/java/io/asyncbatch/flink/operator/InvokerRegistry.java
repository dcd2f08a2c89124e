package io.asyncbatch.flink.operator;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Lets a serialized invoker factory find the invoker that its test controls. Used by any thread.
 */
final class InvokerRegistry {

    private static final Map<Integer, FakeInvoker<?, ?>> INVOKERS = new ConcurrentHashMap<>();
    private static final AtomicInteger LAST_KEY = new AtomicInteger();

    private InvokerRegistry() {}

    static int put(FakeInvoker<?, ?> invoker) {
        int key = LAST_KEY.incrementAndGet();
        INVOKERS.put(key, invoker);
        return key;
    }

    @SuppressWarnings("unchecked")
    static <IN, OUT> FakeInvoker<IN, OUT> get(int key) {
        return (FakeInvoker<IN, OUT>) INVOKERS.get(key);
    }
}
