package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.BasicArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ListTypeInfo;
import org.apache.flink.api.java.typeutils.ObjectArrayTypeInfo;

/**
 * The column of a {@code TypeInformation}, whose values are of exactly the classes that its
 * serializer takes. Stateless.
 */
@Internal
public final class TypeColumns {

    static final String SUPPORTED =
            "BOOLEAN, BYTE, SHORT, INT, LONG, FLOAT, DOUBLE, STRING, PRIMITIVE_ARRAY but of CHAR,"
                    + " and BASIC_ARRAY, OBJECT_ARRAY and LIST of these";

    private static final Map<TypeInformation<?>, Elements<?>> SINGLE =
            Map.of(
                    BasicTypeInfo.BOOLEAN_TYPE_INFO, new BooleanElements(),
                    BasicTypeInfo.BYTE_TYPE_INFO, new ByteElements(),
                    BasicTypeInfo.SHORT_TYPE_INFO, new ShortElements(),
                    BasicTypeInfo.INT_TYPE_INFO, new IntElements(),
                    BasicTypeInfo.LONG_TYPE_INFO, new LongElements(),
                    BasicTypeInfo.FLOAT_TYPE_INFO, new FloatElements(),
                    BasicTypeInfo.DOUBLE_TYPE_INFO, new DoubleElements(),
                    BasicTypeInfo.STRING_TYPE_INFO, new StringElements());

    private TypeColumns() {}

    /**
     * @param dataType of the elements, null for the type's own; bytes are one element of BYTES, or
     *     as INT8 or UINT8 many
     * @param shape of a value, null for one whose dimensions all vary
     * @throws IllegalArgumentException if values of the type, data type or shape have no column
     */
    public static Column<?> of(TypeInformation<?> type, TensorDataType dataType, long... shape) {
        List<Container> containers = new ArrayList<>();
        TypeInformation<?> inner = type;
        while (true) {
            if (inner instanceof BasicArrayTypeInfo<?, ?> array) {
                containers.add(ofObjects(array));
                inner = array.getComponentInfo();
            } else if (inner instanceof ObjectArrayTypeInfo<?, ?> array) {
                containers.add(ofObjects(array));
                inner = array.getComponentInfo();
            } else if (inner instanceof ListTypeInfo<?> list) {
                containers.add(Container.OfList.INSTANCE);
                inner = list.getElementTypeInfo();
            } else {
                return column(type, inner, containers, dataType, shape);
            }
        }
    }

    private static Container ofObjects(TypeInformation<?> array) {
        return new Container.OfObjects(array.getTypeClass().asSubclass(Object[].class));
    }

    private static Column<?> column(
            TypeInformation<?> type,
            TypeInformation<?> inner,
            List<Container> containers,
            TensorDataType dataType,
            long[] shape) {
        if (inner instanceof PrimitiveArrayTypeInfo<?> array) {
            if (array.getComponentClass() == byte.class) {
                return ofBytes(containers, dataType, shape);
            }
            Elements<?> elements = SINGLE.get(array.getComponentType());
            if (elements != null) {
                return ofArrays(elements, ArrayForm.PLAIN, containers, dataType, shape);
            }
        }
        if (inner instanceof BasicTypeInfo && SINGLE.containsKey(inner)) {
            return ofElements(SINGLE.get(inner), containers, dataType, shape);
        }
        throw new IllegalArgumentException(
                "values of %s have no tensor, supported types: %s".formatted(type, SUPPORTED));
    }

    /** Byte strings, or arrays of bytes if the data type says so. */
    static Column<?> ofBytes(List<Container> containers, TensorDataType dataType, long[] shape) {
        return dataType == null || dataType == TensorDataType.BYTES
                ? ofElements(new RawBytesElements(), containers, dataType, shape)
                : ofArrays(new ByteElements(), ArrayForm.PLAIN, containers, dataType, shape);
    }

    static Column<?> ofElements(
            Elements<?> elements,
            List<Container> containers,
            TensorDataType dataType,
            long[] shape) {
        return new GatheredColumn<>(
                elements, containers, null, dataType, orVarying(shape, containers.size()));
    }

    static Column<?> ofArrays(
            Elements<?> elements,
            ArrayForm form,
            List<Container> containers,
            TensorDataType dataType,
            long[] shape) {
        long[] dimensions = orVarying(shape, containers.size() + 1);
        return containers.isEmpty()
                ? new FlatColumn<>(elements, form, dataType, dimensions)
                : new GatheredColumn<>(elements, containers, form, dataType, dimensions);
    }

    private static long[] orVarying(long[] shape, int dimensions) {
        if (shape != null) {
            return shape;
        }
        long[] varying = new long[dimensions];
        Arrays.fill(varying, -1);
        return varying;
    }
}
