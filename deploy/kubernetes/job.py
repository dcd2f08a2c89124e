"""Images from a directory to the digits that they show, through the sidecar of the same pod."""

import argparse

from pyflink.common import Row, Time, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
from pyflink_async_batch import AsyncDataStream, GpuSidecarAsyncBatchFunction, TensorField

IMAGE = Types.ROW_NAMED(["id", "pixels"], [Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE())])
DIGIT = Types.ROW_NAMED(["id", "digit"], [Types.LONG(), Types.LONG()])


def image(line: str) -> Row:
    """A line holds a number and 64 pixels of two hexadecimal digits each."""
    number, pixels = line.split(",")
    return Row(int(number), bytes.fromhex(pixels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--endpoint", required=True)
    options = parser.parse_args()

    environment = StreamExecutionEnvironment.get_execution_environment()
    lines = FileSource.for_record_stream_format(StreamFormat.text_line_format(), options.input)
    images = environment.from_source(
        lines.build(), WatermarkStrategy.no_watermarks(), "images", Types.STRING()
    ).map(image, IMAGE)
    AsyncDataStream.unordered_wait_batch(
        images,
        GpuSidecarAsyncBatchFunction(
            endpoint=options.endpoint,
            model_name="digits",
            inputs=[TensorField("pixels", data_type="UINT8", shape=(8, 8))],
            outputs=["digit"],
            copy_record_fields=True,
        ),
        timeout=Time.minutes(1),
        batch_size=64,
        batch_timeout=Time.milliseconds(50),
        output_type=DIGIT,
    ).print()
    environment.execute("digits")


if __name__ == "__main__":
    main()
