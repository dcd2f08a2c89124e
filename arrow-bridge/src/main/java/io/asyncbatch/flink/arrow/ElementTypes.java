package io.asyncbatch.flink.arrow;

import io.asyncbatch.flink.arrow.ElementType.Mapping;
import io.asyncbatch.flink.arrow.ElementType.RowOf;
import io.asyncbatch.flink.arrow.ElementType.Scalar;
import io.asyncbatch.flink.arrow.ElementType.Sequence;
import io.asyncbatch.flink.arrow.ElementType.SequenceKind;
import io.asyncbatch.flink.arrow.ElementType.TupleOf;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.BasicArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.SqlTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple;
import org.apache.flink.api.java.typeutils.ListTypeInfo;
import org.apache.flink.api.java.typeutils.MapTypeInfo;
import org.apache.flink.api.java.typeutils.ObjectArrayTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;

/**
 * Derives the {@link ElementType} of a {@code TypeInformation} and refuses, by name and path, every
 * type that has none. Stateless.
 */
final class ElementTypes {

    /** What Arrow's C++ reader accepts by default is 64; the schema itself takes part of it. */
    static final int MAX_ARROW_DEPTH = 60;

    static final String SUPPORTED =
            "BOOLEAN, BYTE, SHORT, INT, LONG, FLOAT, DOUBLE, CHAR, STRING, BIG_INT, BIG_DEC, SQL_DATE,"
                    + " SQL_TIME, SQL_TIMESTAMP, LOCAL_DATE, LOCAL_TIME, LOCAL_DATE_TIME, INSTANT,"
                    + " PICKLED_BYTE_ARRAY, PRIMITIVE_ARRAY, BASIC_ARRAY, OBJECT_ARRAY, LIST, MAP, TUPLE,"
                    + " ROW";

    private static final Map<TypeInformation<?>, Scalar> SCALARS =
            Map.ofEntries(
                    Map.entry(BasicTypeInfo.BOOLEAN_TYPE_INFO, Scalar.BOOLEAN),
                    Map.entry(BasicTypeInfo.BYTE_TYPE_INFO, Scalar.BYTE),
                    Map.entry(BasicTypeInfo.SHORT_TYPE_INFO, Scalar.SHORT),
                    Map.entry(BasicTypeInfo.INT_TYPE_INFO, Scalar.INT),
                    Map.entry(BasicTypeInfo.LONG_TYPE_INFO, Scalar.LONG),
                    Map.entry(BasicTypeInfo.FLOAT_TYPE_INFO, Scalar.FLOAT),
                    Map.entry(BasicTypeInfo.DOUBLE_TYPE_INFO, Scalar.DOUBLE),
                    Map.entry(BasicTypeInfo.CHAR_TYPE_INFO, Scalar.CHAR),
                    Map.entry(BasicTypeInfo.STRING_TYPE_INFO, Scalar.STRING),
                    Map.entry(BasicTypeInfo.BIG_INT_TYPE_INFO, Scalar.BIG_INT),
                    Map.entry(BasicTypeInfo.BIG_DEC_TYPE_INFO, Scalar.BIG_DEC),
                    Map.entry(BasicTypeInfo.INSTANT_TYPE_INFO, Scalar.INSTANT),
                    Map.entry(SqlTimeTypeInfo.DATE, Scalar.SQL_DATE),
                    Map.entry(SqlTimeTypeInfo.TIME, Scalar.SQL_TIME),
                    Map.entry(SqlTimeTypeInfo.TIMESTAMP, Scalar.SQL_TIMESTAMP),
                    Map.entry(LocalTimeTypeInfo.LOCAL_DATE, Scalar.LOCAL_DATE),
                    Map.entry(LocalTimeTypeInfo.LOCAL_TIME, Scalar.LOCAL_TIME),
                    Map.entry(LocalTimeTypeInfo.LOCAL_DATE_TIME, Scalar.LOCAL_DATETIME));

    /** By its name, for it is in flink-python's jar, which jobs without Python do not have. */
    private static final String PICKLED =
            "org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo";

    private ElementTypes() {}

    static ElementType of(TypeInformation<?> type) {
        ElementType element = derive(type, "", 1);
        if (element.arrowDepth() > MAX_ARROW_DEPTH) {
            throw tooDeep();
        }
        return element;
    }

    private static ElementType derive(TypeInformation<?> type, String path, int depth) {
        // Before anything looks at the type: it may contain itself.
        if (depth > MAX_ARROW_DEPTH) {
            throw tooDeep();
        }
        if (type == null) {
            throw new UnsupportedElementTypeException(at(path) + " has no type information.");
        }
        if (type instanceof BasicTypeInfo
                || type instanceof SqlTimeTypeInfo
                || type instanceof LocalTimeTypeInfo) {
            Scalar scalar = SCALARS.get(type);
            if (scalar != null) {
                return scalar;
            }
        }
        if (type.getClass().getName().equals(PICKLED)) {
            return Scalar.PICKLED;
        }
        if (type instanceof PrimitiveArrayTypeInfo<?> array) {
            return primitiveArray(array, path, depth);
        }
        if (type instanceof BasicArrayTypeInfo<?, ?> array) {
            return sequence(
                    SequenceKind.BASIC_ARRAY,
                    array.getComponentInfo(),
                    array.getComponentTypeClass(),
                    path,
                    depth);
        }
        if (type instanceof ObjectArrayTypeInfo<?, ?> array) {
            return sequence(
                    SequenceKind.OBJECT_ARRAY,
                    array.getComponentInfo(),
                    array.getTypeClass().getComponentType(),
                    path,
                    depth);
        }
        if (type.getClass() == ListTypeInfo.class) {
            return list((ListTypeInfo<?>) type, path, depth);
        }
        if (type.getClass() == MapTypeInfo.class) {
            return map((MapTypeInfo<?, ?>) type, path, depth);
        }
        if (type.getClass() == TupleTypeInfo.class) {
            return tuple((TupleTypeInfo<?>) type, path, depth);
        }
        if (type.getClass() == RowTypeInfo.class) {
            return row((RowTypeInfo) type, path, depth);
        }
        throw unsupported(type, path, "");
    }

    private static ElementType primitiveArray(
            PrimitiveArrayTypeInfo<?> array, String path, int depth) {
        if (array.getComponentClass() == byte.class) {
            return Scalar.BYTES;
        }
        return sequence(
                SequenceKind.PRIMITIVE_ARRAY,
                array.getComponentType(),
                array.getComponentClass(),
                path,
                depth);
    }

    private static ElementType sequence(
            SequenceKind kind,
            TypeInformation<?> element,
            Class<?> componentClass,
            String path,
            int depth) {
        return new Sequence(kind, derive(element, path + "[]", depth + 1), componentClass);
    }

    private static ElementType list(ListTypeInfo<?> list, String path, int depth) {
        ElementType element = derive(list.getElementTypeInfo(), path + "[]", depth + 1);
        return element == Scalar.BYTE
                ? Scalar.BYTE_LIST
                : new Sequence(SequenceKind.LIST, element, Object.class);
    }

    private static ElementType map(MapTypeInfo<?, ?> map, String path, int depth) {
        ElementType key = derive(map.getKeyTypeInfo(), path + "{key}", depth + 2);
        if (!key.hashableInPython()) {
            throw unsupported(
                    map.getKeyTypeInfo(),
                    path + "{key}",
                    " as a key of MAP, because its Python values cannot be keys of a dict");
        }
        return new Mapping(key, derive(map.getValueTypeInfo(), path + "{value}", depth + 2));
    }

    private static ElementType tuple(TupleTypeInfo<?> tuple, String path, int depth) {
        int arity = tuple.getArity();
        if (arity == 0 || tuple.getTypeClass() != Tuple.getTupleClass(arity)) {
            throw unsupported(tuple, path, ", only Tuple1 to Tuple25 themselves are");
        }
        List<ElementType> fields = new ArrayList<>(arity);
        for (int i = 0; i < arity; i++) {
            fields.add(derive(tuple.getTypeAt(i), child(path, "f" + i), depth + 1));
        }
        return new TupleOf(List.copyOf(fields));
    }

    private static ElementType row(RowTypeInfo row, String path, int depth) {
        String[] names = row.getFieldNames();
        List<ElementType> fields = new ArrayList<>(names.length);
        for (int i = 0; i < names.length; i++) {
            fields.add(derive(row.getTypeAt(i), child(path, names[i]), depth + 1));
        }
        return new RowOf(List.of(names), List.copyOf(fields));
    }

    static String child(String path, String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    private static UnsupportedElementTypeException tooDeep() {
        return new UnsupportedElementTypeException(
                "The element type nests too deep: at most "
                        + MAX_ARROW_DEPTH
                        + " levels are supported, and a MAP takes two.");
    }

    private static UnsupportedElementTypeException unsupported(
            TypeInformation<?> type, String path, String why) {
        return new UnsupportedElementTypeException(
                String.format(
                        "%s is of type %s (%s), which is not supported%s. Supported types: %s.",
                        at(path), type, type.getClass().getName(), why, SUPPORTED));
    }

    private static String at(String path) {
        return path.isEmpty() ? "The element" : "Field '" + path + "' of the element";
    }
}
