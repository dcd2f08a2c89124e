package io.asyncbatch.flink.table.backend;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.BasicArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.MapTypeInfo;
import org.apache.flink.api.java.typeutils.ObjectArrayTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.utils.TypeConversions;

/**
 * What values of a type of SQL are on their way to a Python worker: a class that Flink converts
 * them to, and the type information of it. Stateless.
 */
@Internal
public final class PythonTypes {

    private static final String SUPPORTED =
            "BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, CHAR, VARCHAR, STRING,"
                    + " BINARY, VARBINARY, BYTES, DATE, TIME, TIMESTAMP, TIMESTAMP_LTZ, ARRAY, MAP and"
                    + " ROW";

    private PythonTypes() {}

    /** The same values twice: as the table runtime and as the bridge to the worker know them. */
    public record PythonType(DataType dataType, TypeInformation<?> typeInformation) {}

    /**
     * @throws ValidationException if a column has no such type, by its name
     */
    public static PythonType of(RowType columns) {
        return row(columns, "");
    }

    private static PythonType derive(LogicalType type, String path) {
        return switch (type.getTypeRoot()) {
            case BOOLEAN -> scalar(type, BasicTypeInfo.BOOLEAN_TYPE_INFO);
            case TINYINT -> scalar(type, BasicTypeInfo.BYTE_TYPE_INFO);
            case SMALLINT -> scalar(type, BasicTypeInfo.SHORT_TYPE_INFO);
            case INTEGER -> scalar(type, BasicTypeInfo.INT_TYPE_INFO);
            case BIGINT -> scalar(type, BasicTypeInfo.LONG_TYPE_INFO);
            case FLOAT -> scalar(type, BasicTypeInfo.FLOAT_TYPE_INFO);
            case DOUBLE -> scalar(type, BasicTypeInfo.DOUBLE_TYPE_INFO);
            case DECIMAL -> scalar(type, BasicTypeInfo.BIG_DEC_TYPE_INFO);
            case CHAR, VARCHAR -> scalar(type, BasicTypeInfo.STRING_TYPE_INFO);
            case BINARY, VARBINARY ->
                    scalar(type, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
            case DATE -> scalar(type, LocalTimeTypeInfo.LOCAL_DATE);
            case TIME_WITHOUT_TIME_ZONE -> scalar(type, LocalTimeTypeInfo.LOCAL_TIME);
            case TIMESTAMP_WITHOUT_TIME_ZONE -> scalar(type, LocalTimeTypeInfo.LOCAL_DATE_TIME);
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE -> scalar(type, BasicTypeInfo.INSTANT_TYPE_INFO);
            case ARRAY -> array((ArrayType) type, path);
            case MAP -> map((MapType) type, path);
            case ROW -> row((RowType) type, path);
            default ->
                    throw new ValidationException(
                            "Column '%s' is of type %s, which is not supported here: supported are %s"
                                    .formatted(path, type.asSummaryString(), SUPPORTED));
        };
    }

    private static PythonType scalar(LogicalType type, TypeInformation<?> information) {
        return new PythonType(
                TypeConversions.fromLogicalToDataType(type).bridgedTo(information.getTypeClass()),
                information);
    }

    /** Numbers that cannot be null travel without a box around each. */
    private static PythonType array(ArrayType type, String path) {
        LogicalType elementType = type.getElementType();
        PythonType element = derive(elementType, path + "[]");
        PrimitiveArrayTypeInfo<?> primitive =
                elementType.isNullable() ? null : primitiveArray(elementType);
        if (primitive != null) {
            return new PythonType(
                    nullable(DataTypes.ARRAY(element.dataType), type)
                            .bridgedTo(primitive.getTypeClass()),
                    primitive);
        }
        Class<?> arrayClass = element.typeInformation.getTypeClass().arrayType();
        TypeInformation<?> basic = BasicArrayTypeInfo.getInfoFor(arrayClass);
        return new PythonType(
                nullable(DataTypes.ARRAY(element.dataType), type).bridgedTo(arrayClass),
                basic == null
                        ? ObjectArrayTypeInfo.getInfoFor(arrayClass, element.typeInformation)
                        : basic);
    }

    private static PrimitiveArrayTypeInfo<?> primitiveArray(LogicalType element) {
        return switch (element.getTypeRoot()) {
            case BOOLEAN -> PrimitiveArrayTypeInfo.BOOLEAN_PRIMITIVE_ARRAY_TYPE_INFO;
            case SMALLINT -> PrimitiveArrayTypeInfo.SHORT_PRIMITIVE_ARRAY_TYPE_INFO;
            case INTEGER -> PrimitiveArrayTypeInfo.INT_PRIMITIVE_ARRAY_TYPE_INFO;
            case BIGINT -> PrimitiveArrayTypeInfo.LONG_PRIMITIVE_ARRAY_TYPE_INFO;
            case FLOAT -> PrimitiveArrayTypeInfo.FLOAT_PRIMITIVE_ARRAY_TYPE_INFO;
            case DOUBLE -> PrimitiveArrayTypeInfo.DOUBLE_PRIMITIVE_ARRAY_TYPE_INFO;
            // Of bytes it would be BYTES to Python.
            default -> null;
        };
    }

    private static PythonType map(MapType type, String path) {
        PythonType key = derive(type.getKeyType(), path + "{key}");
        PythonType value = derive(type.getValueType(), path + "{value}");
        return new PythonType(
                nullable(DataTypes.MAP(key.dataType, value.dataType), type),
                new MapTypeInfo<>(key.typeInformation, value.typeInformation));
    }

    private static PythonType row(RowType type, String path) {
        List<DataTypes.Field> fields = new ArrayList<>();
        List<TypeInformation<?>> information = new ArrayList<>();
        for (RowType.RowField field : type.getFields()) {
            PythonType of =
                    derive(
                            field.getType(),
                            path.isEmpty() ? field.getName() : path + "." + field.getName());
            fields.add(DataTypes.FIELD(field.getName(), of.dataType));
            information.add(of.typeInformation);
        }
        return new PythonType(
                nullable(DataTypes.ROW(fields.toArray(DataTypes.Field[]::new)), type),
                new RowTypeInfo(
                        information.toArray(TypeInformation[]::new),
                        type.getFieldNames().toArray(String[]::new)));
    }

    private static DataType nullable(DataType dataType, LogicalType type) {
        return type.isNullable() ? dataType.nullable() : dataType.notNull();
    }
}
