package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.sidecar.codec.Column;
import io.asyncbatch.flink.sidecar.codec.ColumnName;
import io.asyncbatch.flink.sidecar.codec.TypeColumns;
import java.io.Serializable;
import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * A list of values of one type as one named tensor, whose first dimension is that of the batch, and
 * back. Null is refused. Immutable, for any thread; travels with the job graph.
 *
 * <p>A tensor that is decoded may have another data type than {@link #dataType} if every value of
 * it is one of the column's too, as those of INT32 are longs.
 *
 * <p>Shapes are those of one value. A dimension of -1 has another size in each batch, and the same
 * in all values of one.
 *
 * @param <T> type of the values
 */
@PublicEvolving
public final class TensorColumn<T> implements Serializable {

    private static final long serialVersionUID = 1L;

    private final ColumnName name;
    private final Column<?> column;

    private TensorColumn(String name, Column<?> column) {
        this.name = new ColumnName(Objects.requireNonNull(name, "name"), null);
        this.column = column;
    }

    /**
     * Values as a serializer of the type takes them: BOOLEAN, BYTE, SHORT, INT, LONG, FLOAT,
     * DOUBLE, STRING, PRIMITIVE_ARRAY, and BASIC_ARRAY, OBJECT_ARRAY and LIST of these, nested too.
     *
     * @throws IllegalArgumentException if the type is another one
     */
    public static <T> TensorColumn<T> of(String name, TypeInformation<T> type) {
        return new TensorColumn<>(name, TypeColumns.of(type, null, (long[]) null));
    }

    /** BOOL. */
    public static TensorColumn<Boolean> ofBoolean(String name) {
        return of(name, BasicTypeInfo.BOOLEAN_TYPE_INFO);
    }

    /** INT8. */
    public static TensorColumn<Byte> ofByte(String name) {
        return of(name, BasicTypeInfo.BYTE_TYPE_INFO);
    }

    /** INT16. */
    public static TensorColumn<Short> ofShort(String name) {
        return of(name, BasicTypeInfo.SHORT_TYPE_INFO);
    }

    /** INT32. */
    public static TensorColumn<Integer> ofInt(String name) {
        return of(name, BasicTypeInfo.INT_TYPE_INFO);
    }

    /** INT64. */
    public static TensorColumn<Long> ofLong(String name) {
        return of(name, BasicTypeInfo.LONG_TYPE_INFO);
    }

    /** FP32. */
    public static TensorColumn<Float> ofFloat(String name) {
        return of(name, BasicTypeInfo.FLOAT_TYPE_INFO);
    }

    /** FP64. */
    public static TensorColumn<Double> ofDouble(String name) {
        return of(name, BasicTypeInfo.DOUBLE_TYPE_INFO);
    }

    /** BYTES, in UTF-8. */
    public static TensorColumn<String> ofString(String name) {
        return of(name, BasicTypeInfo.STRING_TYPE_INFO);
    }

    /** BYTES: each value is one element, such as an encoded image. */
    public static TensorColumn<byte[]> ofBytes(String name) {
        return of(name, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
    }

    /** BOOL; see {@link #ofFloatArray} for the shape. */
    public static TensorColumn<boolean[]> ofBooleanArray(String name, long... shape) {
        return array(name, PrimitiveArrayTypeInfo.BOOLEAN_PRIMITIVE_ARRAY_TYPE_INFO, null, shape);
    }

    /**
     * INT8, an element a byte; {@link #as} makes it UINT8 without touching the bits, as pixels have
     * them. See {@link #ofFloatArray} for the shape.
     */
    public static TensorColumn<byte[]> ofByteArray(String name, long... shape) {
        return array(
                name,
                PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                TensorDataType.INT8,
                shape);
    }

    /** INT16; see {@link #ofFloatArray} for the shape. */
    public static TensorColumn<short[]> ofShortArray(String name, long... shape) {
        return array(name, PrimitiveArrayTypeInfo.SHORT_PRIMITIVE_ARRAY_TYPE_INFO, null, shape);
    }

    /** INT32; see {@link #ofFloatArray} for the shape. */
    public static TensorColumn<int[]> ofIntArray(String name, long... shape) {
        return array(name, PrimitiveArrayTypeInfo.INT_PRIMITIVE_ARRAY_TYPE_INFO, null, shape);
    }

    /** INT64; see {@link #ofFloatArray} for the shape. */
    public static TensorColumn<long[]> ofLongArray(String name, long... shape) {
        return array(name, PrimitiveArrayTypeInfo.LONG_PRIMITIVE_ARRAY_TYPE_INFO, null, shape);
    }

    /**
     * FP32.
     *
     * @param shape of one array, row-major: positive, or -1 once for a dimension that varies; one
     *     dimension that varies if there is none
     */
    public static TensorColumn<float[]> ofFloatArray(String name, long... shape) {
        return array(name, PrimitiveArrayTypeInfo.FLOAT_PRIMITIVE_ARRAY_TYPE_INFO, null, shape);
    }

    /** FP64; see {@link #ofFloatArray} for the shape. */
    public static TensorColumn<double[]> ofDoubleArray(String name, long... shape) {
        return array(name, PrimitiveArrayTypeInfo.DOUBLE_PRIMITIVE_ARRAY_TYPE_INFO, null, shape);
    }

    private static <T> TensorColumn<T> array(
            String name, TypeInformation<T> type, TensorDataType dataType, long... shape) {
        return new TensorColumn<>(
                name, TypeColumns.of(type, dataType, shape.length == 0 ? null : shape));
    }

    /**
     * The same values in another data type, such as FP16 for floats or UINT8 for ints. Integers are
     * kept or refused, floating-point numbers are rounded to the nearest; both ways.
     *
     * @throws IllegalArgumentException if such values cannot become it, naming what they can
     */
    public TensorColumn<T> as(TensorDataType dataType) {
        return new TensorColumn<>(
                name.tensor(), column.as(Objects.requireNonNull(dataType, "dataType")));
    }

    /**
     * The same values in another shape. Single values have none, or dimensions of 1 where a model
     * wants them; nested values have one dimension a level.
     *
     * @throws IllegalArgumentException if such values cannot have it
     */
    public TensorColumn<T> shaped(long... shape) {
        return new TensorColumn<>(name.tensor(), column.shaped(shape));
    }

    /** Of the tensor. */
    public String name() {
        return name.tensor();
    }

    /** What values are encoded as. */
    public TensorDataType dataType() {
        return column.dataType();
    }

    /** Of one value. */
    public long[] shape() {
        return column.shape();
    }

    /**
     * @param values not empty; none is null
     * @throws IllegalArgumentException if a value does not fit, naming its index
     */
    public Tensor encode(List<? extends T> values) {
        return column.encode(name, values);
    }

    /**
     * @param tensor whose first dimension must be the number of values
     * @return a list of its own, with no reference to the tensor
     * @throws IllegalArgumentException if type, shape or contents do not fit
     */
    @SuppressWarnings("unchecked")
    public List<T> decode(Tensor tensor, int values) {
        return (List<T>) column.decode(name, tensor, values);
    }

    Column<?> column() {
        return column;
    }
}
