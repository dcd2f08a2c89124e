package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.batchapi.RequestCodec;
import org.apache.flink.types.Row;

/**
 * Hands on the requests that Python has made: of rows of an element in Python's bytes, its request,
 * and, where there is none, why. Stateless; travels with the job graph.
 */
final class RequestsOfPython implements RequestCodec<Row> {

    private static final long serialVersionUID = 1L;

    /** Of the rows. */
    static final int ELEMENT = 0;

    private static final int REQUEST = 1;
    private static final int REFUSAL = 2;

    @Override
    public String request(Row row) throws RequestRefusedException {
        String refusal = row.<String>getFieldAs(REFUSAL);
        if (refusal != null) {
            throw new RequestRefusedException(refusal);
        }
        return row.getFieldAs(REQUEST);
    }

    /** What Python has said, without the name of a Java class before it. */
    private static final class RequestRefusedException extends Exception {

        private static final long serialVersionUID = 1L;

        RequestRefusedException(String reason) {
            super(reason);
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }
}
