package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.table.stream.RequestColumn;

/**
 * What a function of Python's makes of elements for Batch APIs: rows of an element in Python's
 * bytes, its request, and, where there is none, why.
 */
final class RequestsOfPython {

    static final int ELEMENT = 0;

    private static final int REQUEST = 1;
    private static final int REFUSAL = 2;

    private RequestsOfPython() {}

    static RequestColumn codec() {
        return new RequestColumn(REQUEST, REFUSAL);
    }
}
