package io.asyncbatch.flink.sidecar;

import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A field of a record and what it is to the model. Unless said otherwise the tensor has the field's
 * name, the data type that the field's type has in Java, and for arrays one dimension, or one a
 * level of nesting, whose size varies from batch to batch. Immutable: the methods that change
 * something return another one.
 */
@PublicEvolving
public final class TensorField {

    private final String name;
    private final String tensor;
    private final TensorDataType dataType;
    private final long[] shape;

    private TensorField(String name, String tensor, TensorDataType dataType, long[] shape) {
        this.name = Objects.requireNonNull(name, "name");
        this.tensor = Objects.requireNonNull(tensor, "tensor");
        this.dataType = dataType;
        this.shape = shape;
    }

    /**
     * @param name of the field; where records have no fields, of the tensor
     */
    public static TensorField of(String name) {
        return new TensorField(name, name, null, null);
    }

    /** Under another name than the field's. */
    public TensorField tensor(String newTensor) {
        return new TensorField(name, newTensor, dataType, shape);
    }

    /**
     * As another data type, which {@code docs/sidecar-codecs.md} lists for each type of a field.
     * Integers are kept or refused, floating-point numbers are rounded.
     */
    public TensorField dataType(TensorDataType newDataType) {
        return new TensorField(
                name, tensor, Objects.requireNonNull(newDataType, "dataType"), shape);
    }

    /**
     * In this shape.
     *
     * @param newShape of one record's value, without the batch's dimension: none for single values,
     *     or all 1; positive for arrays, or -1 once for the dimension that varies; for nested
     *     values one a level
     */
    public TensorField shape(long... newShape) {
        return new TensorField(name, tensor, dataType, newShape.clone());
    }

    public String getName() {
        return name;
    }

    public String getTensor() {
        return tensor;
    }

    /** What was asked for. */
    public Optional<TensorDataType> getDataType() {
        return Optional.ofNullable(dataType);
    }

    /** What was asked for. */
    public Optional<long[]> getShape() {
        return Optional.ofNullable(shape).map(long[]::clone);
    }

    @Override
    public String toString() {
        return "field '%s' as tensor '%s'%s%s"
                .formatted(
                        name,
                        tensor,
                        dataType == null ? "" : " of " + dataType,
                        shape == null ? "" : " " + Arrays.toString(shape));
    }
}
