package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorField;
import java.util.List;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.Row;

/** Records of a {@code TypeInformation}: rows, or else single values. Stateless. */
abstract class TypeInformationRecords<R> implements RecordType<R> {

    private final TypeInformation<?> type;

    private TypeInformationRecords(TypeInformation<?> type) {
        this.type = type;
    }

    @SuppressWarnings("unchecked")
    static <R> RecordType<R> of(TypeInformation<R> type) {
        return type instanceof RowTypeInfo rows
                ? (RecordType<R>) new Rows(rows)
                : new SingleValues<>(type);
    }

    abstract TypeInformation<?> typeAt(int position);

    @Override
    public final String description() {
        return String.valueOf(type);
    }

    @Override
    public final Column<?> column(int position, TensorField field) {
        return TypeColumns.of(
                typeAt(position), field.getDataType().orElse(null), field.getShape().orElse(null));
    }

    @Override
    public final boolean takes(int position, RecordType<?> other, int otherPosition) {
        return other instanceof TypeInformationRecords<?> records
                && typeAt(position).equals(records.typeAt(otherPosition));
    }

    private static final class SingleValues<R> extends TypeInformationRecords<R> {

        private final TypeInformation<R> type;

        SingleValues(TypeInformation<R> type) {
            super(type);
            this.type = type;
        }

        @Override
        public List<String> fieldNames() {
            return null;
        }

        @Override
        TypeInformation<?> typeAt(int position) {
            return type;
        }

        @Override
        public FieldReader<R> reader(int position) {
            return new FieldReader.Whole<>();
        }

        @Override
        public <IN> RecordMaker<IN, R> maker(ResultFields<IN> fields) {
            return new RecordMaker.Whole<>();
        }
    }

    private static final class Rows extends TypeInformationRecords<Row> {

        private final RowTypeInfo type;

        Rows(RowTypeInfo type) {
            super(type);
            this.type = type;
        }

        @Override
        public List<String> fieldNames() {
            return List.of(type.getFieldNames());
        }

        @Override
        TypeInformation<?> typeAt(int position) {
            return type.getTypeAt(position);
        }

        @Override
        public FieldReader<Row> reader(int position) {
            return new FieldReader.OfRow(type.getFieldNames()[position], position);
        }

        @Override
        public <IN> RecordMaker<IN, Row> maker(ResultFields<IN> fields) {
            return new RowMaker<>(fields);
        }
    }
}
