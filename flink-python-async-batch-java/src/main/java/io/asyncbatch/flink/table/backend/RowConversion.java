package io.asyncbatch.flink.table.backend;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.table.data.RowData;

/**
 * Rows of the table runtime as something else, and back. Travels with the job graph; at run time
 * each direction is used by one thread.
 *
 * @param <T> what else
 */
@Internal
public interface RowConversion<T> extends Serializable {

    /** Rows as they are. */
    RowConversion<RowData> NONE =
            new RowConversion<>() {
                private static final long serialVersionUID = 1L;

                @Override
                public void open(ClassLoader userCode) {}

                @Override
                public RowData toExternal(RowData row) {
                    return row;
                }

                @Override
                public RowData toInternal(RowData row) {
                    return row;
                }
            };

    /** Called once, before all else. */
    void open(ClassLoader userCode);

    /**
     * @throws IllegalArgumentException if the row does not keep to its schema
     */
    T toExternal(RowData row);

    /**
     * @throws IllegalArgumentException if it does not keep to the schema
     */
    RowData toInternal(T row);
}
