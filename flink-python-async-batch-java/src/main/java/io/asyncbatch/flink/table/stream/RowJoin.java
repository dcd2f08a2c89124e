package io.asyncbatch.flink.table.stream;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.Row;

/**
 * What a function sees of a row, and where its result goes: the row's columns, or the first of
 * them, then those of the result. Immutable; travels with the job graph.
 */
@Internal
public final class RowJoin implements Serializable {

    private static final long serialVersionUID = 1L;

    private final int[] columns;
    @Nullable private final String resultName;
    private final int mostKept;

    /**
     * @param columns that the function takes, by position: as they are if it is one, as rows if
     *     they are more
     * @param resultName of the column that the function's plain values make; null if it returns
     *     rows, whose fields are the columns
     */
    public RowJoin(List<Integer> columns, @Nullable String resultName) {
        this(columns, resultName, Integer.MAX_VALUE);
    }

    /**
     * @param mostKept how many of the row's columns stay, from the first
     */
    public RowJoin(List<Integer> columns, @Nullable String resultName, int mostKept) {
        this.columns = columns.stream().mapToInt(Integer::intValue).toArray();
        this.resultName = resultName;
        this.mostKept = mostKept;
    }

    /** Of what the function takes. */
    public TypeInformation<?> inputType(TypeInformation<?> rows) {
        RowTypeInfo row = (RowTypeInfo) rows;
        return columns.length == 1
                ? row.getTypeAt(columns[0])
                : new RowTypeInfo(
                        Arrays.stream(columns)
                                .mapToObj(column -> row.getTypeAt(column))
                                .toArray(TypeInformation[]::new),
                        Arrays.stream(columns)
                                .mapToObj(column -> row.getFieldNames()[column])
                                .toArray(String[]::new));
    }

    /** Of rows with the function's results. */
    public TypeInformation<?> outputType(TypeInformation<?> rows, TypeInformation<?> results) {
        RowTypeInfo row = (RowTypeInfo) rows;
        RowTypeInfo added =
                resultName == null
                        ? (RowTypeInfo) results
                        : new RowTypeInfo(
                                new TypeInformation<?>[] {results}, new String[] {resultName});
        return new RowTypeInfo(
                Stream.concat(types(row).limit(mostKept), types(added))
                        .toArray(TypeInformation[]::new),
                Stream.concat(
                                Arrays.stream(row.getFieldNames()).limit(mostKept),
                                Arrays.stream(added.getFieldNames()))
                        .toArray(String[]::new));
    }

    private static Stream<TypeInformation<?>> types(RowTypeInfo row) {
        return IntStream.range(0, row.getArity()).mapToObj(row::getTypeAt);
    }

    Object input(Row row) {
        if (columns.length == 1) {
            return row.getField(columns[0]);
        }
        Row selected = new Row(row.getKind(), columns.length);
        for (int i = 0; i < columns.length; i++) {
            selected.setField(i, row.getField(columns[i]));
        }
        return selected;
    }

    Row output(Row row, @Nullable Object result) {
        Row added = resultName == null ? (Row) result : Row.of(result);
        int kept = Math.min(mostKept, row.getArity());
        Row joined = new Row(row.getKind(), kept + added.getArity());
        for (int i = 0; i < kept; i++) {
            joined.setField(i, row.getField(i));
        }
        for (int i = 0; i < added.getArity(); i++) {
            joined.setField(kept + i, added.getField(i));
        }
        return joined;
    }
}
