package io.asyncbatch.flink.sidecar;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Which fields are a model's inputs and outputs, for a codec by the records' types. Immutable; made
 * by a {@link #builder builder}.
 */
@PublicEvolving
public final class TensorCodecOptions {

    private final List<TensorField> inputs;
    private final List<TensorField> outputs;
    private final boolean copyRecordFields;

    private TensorCodecOptions(Builder builder) {
        inputs = List.copyOf(builder.inputs);
        outputs = List.copyOf(builder.outputs);
        copyRecordFields = builder.copyRecordFields;
    }

    public static Builder builder() {
        return new Builder();
    }

    /** All fields are inputs, and all fields of the results outputs, under their own names. */
    public static TensorCodecOptions defaults() {
        return builder().build();
    }

    /** Empty for all fields of the records. */
    public List<TensorField> getInputs() {
        return inputs;
    }

    /** Empty for all fields of the results, or those that are not copied. */
    public List<TensorField> getOutputs() {
        return outputs;
    }

    public boolean isCopyRecordFields() {
        return copyRecordFields;
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {

        private final List<TensorField> inputs = new ArrayList<>();
        private final List<TensorField> outputs = new ArrayList<>();
        private boolean copyRecordFields;

        private Builder() {}

        /** Adds an input; fields that are none are not sent. */
        public Builder input(TensorField field) {
            inputs.add(Objects.requireNonNull(field, "input"));
            return this;
        }

        /** Adds an input that needs no more than its name. */
        public Builder input(String field) {
            return input(TensorField.of(field));
        }

        /** Adds an output, which becomes a field of the results. */
        public Builder output(TensorField field) {
            outputs.add(Objects.requireNonNull(field, "output"));
            return this;
        }

        /** Adds an output that needs no more than its name. */
        public Builder output(String field) {
            return output(TensorField.of(field));
        }

        /**
         * Results keep fields of their record: each field of the results that is no output comes
         * from the record's field of that name, which has the same type. Without outputs, those
         * fields of the results are outputs that the records do not have.
         */
        public Builder copyRecordFields() {
            copyRecordFields = true;
            return this;
        }

        public TensorCodecOptions build() {
            return new TensorCodecOptions(this);
        }
    }
}
